import { chmodSync, existsSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, onTestFinished, test } from 'vitest'

import type { Deployment } from '../../src/deployment/deployment.ts'
import { IN_WORKSPACE, NO_HOOKS, type CommandsRecipe } from '../../src/deployment/recipe.ts'
import { createMasker } from '../../src/logs/redact.ts'
import type { RunParts } from '../../src/run/parts.ts'
import { createMirrors } from '../../src/run/workspace/mirrors.ts'
import { gitSource } from '../support/git-source.ts'
import { runFor, temporaryFolder } from '../support/running.ts'
import { recipe } from '../support/samples.ts'
import { makeUser, removeUser } from '../support/users.ts'

/** A repository, and a server that lets its commits have a say. */
function place() {
  const source = gitSource()
  const data = temporaryFolder()
  const checkouts = {
    mirrors: createMirrors(join(data, 'mirrors')),
    workspaces: join(data, 'workspaces'),
    githubUrl: () => 'https://github.com',
    readingToken: () => Promise.reject(new Error('GitHub is not asked.')),
  }
  const deploy = (
    sha: string,
    given: Partial<CommandsRecipe> = {},
    also: Partial<Deployment> = {},
    parts: Partial<RunParts> = {},
  ) =>
    runFor({
      commands: [],
      deployment: {
        sha,
        ...also,
        recipe: recipe({
          folder: IN_WORKSPACE,
          workspace: { url: source.folder, submodules: false, lfs: false },
          inRepository: { file: '.ferryman.yml', allow: ['commands', 'folder', 'env', 'timeout', 'hooks'] },
          commands: [['echo', 'as the server says']],
          ...given,
        }),
      },
      parts: { checkouts, ...parts },
    })
  return { source, deploy }
}

test('a commit runs what its own file says, in its folder and with its variables', async () => {
  const { source, deploy } = place()
  const first = source.commit({
    '.ferryman.yml':
      'commands: [[sh, -c, \'echo "$WORD from $(basename "$PWD")"\']]\nfolder: app\nenv: {WORD: hello}\n' +
      'hooks: {after_success: [[echo, afterwards]]}\n',
    'app/.keep': '',
  })
  const second = source.commit({ '.ferryman.yml': 'commands: [[echo, otherwise]]\n' })

  const ran = await deploy(first)
  const later = await deploy(second)
  const again = await deploy(first)

  expect([ran, later, again].map(({ result }) => result.state)).toEqual([
    'succeeded',
    'succeeded',
    'succeeded',
  ])
  expect(ran.log).toContain('hello from app\n')
  expect(ran.log).toContain('afterwards\n')
  expect(ran.log).not.toContain('as the server says')
  expect(later.log).toContain('\notherwise\n')
  expect(again.log).toContain('hello from app\n')
})

test('a commit without the file runs what the server says, or nothing where that says nothing', async () => {
  const { source, deploy } = place()
  const sha = source.commit({ 'index.html': 'Hello' })

  const ran = await deploy(sha)
  const refused = await deploy(sha, { commands: [] })

  expect(ran.result.state).toBe('succeeded')
  expect(ran.log).toContain(`There is no .ferryman.yml of ${sha.slice(0, 7)}: all is as the configuration`)
  expect(ran.log).toContain('\nas the server says\n')
  expect(refused.result).toMatchObject({
    reason: 'config_invalid',
    detail: `There is no .ferryman.yml of ${sha.slice(0, 7)}, and the configuration of the server has no commands.`,
  })
})

test('a file that is wrong runs nothing, and says why', async () => {
  const { source, deploy } = place()
  const sha = source.commit({ '.ferryman.yml': 'commands: [[touch, done]]\nrun_as: root\ntimeout: 9h\n' })

  const { result, log } = await deploy(sha)

  expect(result).toMatchObject({
    state: 'failed',
    reason: 'config_invalid',
    detail: '.ferryman.yml:2:1 run_as: is for the configuration of the server',
  })
  expect(log).not.toContain('$ touch')
})

test('of several things that are wrong the log has all', async () => {
  const { source, deploy } = place()
  const sha = source.commit({ '.ferryman.yml': 'run_as: root\nreleases: {path: /}\n' })

  const { result, log } = await deploy(sha)

  expect(result).toMatchObject({
    detail: expect.stringMatching(/^\.ferryman\.yml:1:1 .* \(and 1 more, in the log\)$/),
  })
  expect(log).toContain('.ferryman.yml:2:1 releases: is for the configuration of the server')
})

test('a link is not followed, a folder is no file, and what is long or no UTF-8 is not read', async () => {
  const { source, deploy } = place()
  symlinkSync('/etc/passwd', join(source.folder, '.ferryman.yml'))
  const linked = source.commit({})
  source.git('rm', '--quiet', '.ferryman.yml')
  const folder = source.commit({ '.ferryman.yml/x': '' })
  source.git('rm', '--quiet', '-r', '.ferryman.yml')
  const long = source.commit({ '.ferryman.yml': `# ${'x'.repeat(65_536)}\n` })

  writeFileSync(join(source.folder, '.ferryman.yml'), Buffer.from('commands: [[echo, caf\xe9]]\n', 'latin1'))
  const odd = source.commit({})

  const details: unknown[] = []
  for (const sha of [linked, folder, long, odd])
    details.push(Reflect.get((await deploy(sha)).result, 'detail'))

  expect(details).toEqual([
    `.ferryman.yml of ${linked.slice(0, 7)} is a link, and is not followed.`,
    `.ferryman.yml of ${folder.slice(0, 7)} is no file.`,
    `.ferryman.yml of ${long.slice(0, 7)} is larger than 64 KB.`,
    `.ferryman.yml of ${odd.slice(0, 7)} is no UTF-8.`,
  ])
})

test('a folder of the checkout that leads out of it is refused', async () => {
  const { source, deploy } = place()
  symlinkSync('/', join(source.folder, 'out'))
  const sha = source.commit({ '.ferryman.yml': 'folder: out\ncommands: [[pwd]]\n' })

  expect((await deploy(sha)).result).toMatchObject({ reason: 'folder_missing' })
})

test('its shorter limit holds', async () => {
  const { source, deploy } = place()
  const sha = source.commit({ '.ferryman.yml': 'commands: [[sleep, "60"]]\ntimeout: 1s\n' })

  expect((await deploy(sha)).result).toMatchObject({
    reason: 'timed_out',
    detail: expect.stringContaining('The time limit of 1 s was reached'),
  })
})

/** Variables that put a program of the commit's own in the place of another, which notes that it was run. */
function impostor(program: string) {
  const folder = temporaryFolder()
  const note = join(folder, 'was-run')
  chmodSync(folder, 0o777)
  writeFileSync(join(folder, program), `#!/bin/sh\ntouch ${note}\nexec /usr/bin/${program} "$@"\n`, {
    mode: 0o755,
  })
  return { env: `env: {PATH: "${folder}:/usr/bin:/bin"}\n`, wasRun: () => existsSync(note) }
}

test('its variables are for its commands, and not for what we ask git ourselves', async () => {
  const { source, deploy } = place()
  const git = impostor('git')
  const first = source.commit({ '.ferryman.yml': git.env })
  const text = `${git.env}commands: [{run: [echo, changed], if: 'changed("app/**")'}, [sh, -c, 'echo "$PATH"']]\n`
  const sha = source.commit({ '.ferryman.yml': text, 'app/x': '1' })

  const { result, log } = await deploy(sha, {}, {}, { previousSha: first })

  expect(result.state).toBe('succeeded')
  expect(log).toContain('\nchanged\n')
  expect(log).toContain(':/usr/bin:/bin\n')
  expect(git.wasRun()).toBe(false)
})

test.skipIf(process.getuid?.() !== 0)('its variables are not for who runs as somebody else', async () => {
  const user = 'ferryman-t7'
  makeUser(user)
  onTestFinished(() => removeUser(user))
  const { source, deploy } = place()
  const whoami = impostor('whoami')
  const sha = source.commit({ '.ferryman.yml': `${whoami.env}commands: [[sh, -c, 'echo "$PATH"']]\n` })
  const before = [{ command: { words: ['whoami'], runAs: user } }]

  const path = temporaryFolder()
  chmodSync(path, 0o755) // releases lie where that user may go

  const { log } = await deploy(sha, {
    hooks: { ...NO_HOOKS, before },
    releases: { path, keep: 3, shared: [], target: 'link' },
  })

  expect(log).toContain(`\n${user}\n`)
  expect(log).toContain(':/usr/bin:/bin\n')
  expect(whoami.wasRun()).toBe(false)
})

test('what it calls a password is masked in its own log, and nowhere else', async () => {
  const { source, deploy } = place()
  const text = `commands: [[sh, -c, 'echo "with $DB_PASSWORD"']]\nenv: {DB_PASSWORD: hunter2-and-3}\n`
  const first = source.commit({ '.ferryman.yml': text })
  const second = source.commit({ '.ferryman.yml': 'commands: [[echo, hunter2-and-3]]\n' })
  const masker = createMasker([])

  const hidden = await deploy(first, {}, {}, { masker })
  const other = await deploy(second, {}, {}, { masker })

  expect(hidden.log).toContain('\nwith •••\n')
  expect(other.log).toContain('\nhunter2-and-3\n')
})

/** A file whose hook proves it in its own words. */
const proving = (word: string, script = ''): string =>
  `env: {WORD: ${word}}\ncommands: [[echo, built]]\nhooks: {verify: [[sh, -c, 'echo "proved as $WORD in $(pwd)"${script}']]}\n`

test('a release that is there is proved as its own commit says', async () => {
  const { source, deploy } = place()
  const path = temporaryFolder()
  const releases = { path, keep: 3, shared: [], target: 'link' } as const
  const first = source.commit({ '.ferryman.yml': proving('one') })
  const second = source.commit({ '.ferryman.yml': proving('two') })
  await deploy(first, { releases }, { id: 1, number: 1 })
  await deploy(second, { releases }, { id: 2, number: 2 })

  const { result, log } = await deploy(
    first,
    { releases: { ...releases, goesBack: true } },
    { id: 3, number: 3 },
  )

  expect(result.state).toBe('succeeded')
  expect(log).toContain('Release 1 is there: nothing is fetched')
  expect(log).not.toContain('\nbuilt\n')
  expect(log).toContain(`\nproved as one in ${path}/releases/1\n`)
})

test.each(['link', 'directory'] as const)(
  'what comes back is proved as its own commit says: %s',
  async (target) => {
    const { source, deploy } = place()
    const path = temporaryFolder()
    const releases = { path, keep: 3, shared: [], target }
    const good = source.commit({ '.ferryman.yml': proving('good') })
    const bad = source.commit({ '.ferryman.yml': proving('bad', ' && false') })
    await deploy(good, { releases }, { id: 1, number: 1 })

    const { result, log } = await deploy(bad, { releases }, { id: 2, number: 2 })

    expect(result).toMatchObject({
      reason: 'verification_failed',
      detail: expect.stringMatching(/; rolled back to release 1$/),
    })
    expect(log).toContain(`\nproved as bad in ${path}/releases/2\n`)
    expect(log).toContain(`\nproved as good in ${path}/releases/1\n`)
  },
)
