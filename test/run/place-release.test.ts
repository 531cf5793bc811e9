import { execFileSync } from 'node:child_process'
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'

import { expect, inject, test } from 'vitest'

import { IN_WORKSPACE, NO_HOOKS, type CommandsRecipe, type Hook } from '../../src/deployment/recipe.ts'
import { versionId } from '../../src/deployment/source.ts'
import type { Stop } from '../../src/run/limits.ts'
import type { RunParts } from '../../src/run/parts.ts'
import { createLogs } from '../../src/logs/logs.ts'
import { createMasker } from '../../src/logs/redact.ts'
import { goodReleases } from '../../src/run/releases.ts'
import { openBuilds } from '../support/builds.ts'
import { createMirrors } from '../../src/run/workspace/mirrors.ts'
import { listen } from '../support/loopback.ts'
import { gitSource } from '../support/git-source.ts'
import { eventually, runFor, temporaryFolder } from '../support/running.ts'
import { recipe, SHA } from '../support/samples.ts'
import { mountSmallDisk } from '../support/small-disk.ts'
import { zipOf } from '../support/zips.ts'

const archive = (content: string): Buffer => zipOf([{ name: 'index.html', content }])

/** Builds with one page. */
const openPage = async () => Object.assign(await openBuilds(), { content: archive('one') })

const sh = (script: string): Hook => ({ command: ['sh', '-c', script] })

interface Given extends Partial<CommandsRecipe> {
  readonly number: number
  readonly path: string
  readonly address: string
  readonly shared?: readonly string[]
  readonly target?: 'link' | 'directory'
  readonly goesBack?: boolean
  readonly sha?: string
  readonly ref?: string
  readonly isPolled?: boolean
  readonly id?: number
  readonly parts?: Partial<RunParts>
}

/** Deploys one release from an archive. */
const deploy = ({
  number,
  path,
  address,
  shared = [],
  target = 'link',
  goesBack = false,
  sha = SHA,
  ref = 'main',
  isPolled = false,
  id = number,
  parts = {},
  ...given
}: Given) =>
  runFor({
    commands: [],
    parts,
    deployment: {
      sha,
      ref,
      id,
      number,
      startedAt: number,
      recipe: recipe({
        folder: IN_WORKSPACE,
        commands: [],
        releases: {
          path,
          keep: 3,
          shared,
          target,
          goesBack,
          source: { address: { literal: address }, s3: {}, isPolled },
        },
        ...given,
      }),
    },
  })

const TELL = 'echo "$FERRYMAN_HOOK $PWD $CURRENT_CONFIG $PREVIOUS_CONFIG $FERRYMAN_ROLLBACK" >> "$TOLD"'

test('of a source that is polled only the version is deployed that was found there', async () => {
  const builds = { version: 'one' }
  const port = await listen(
    createServer(({ method }, response) => {
      response.writeHead(200, { etag: `"${builds.version}"` }).end(archive(builds.version))
      if (method === 'GET' && builds.version === 'two') builds.version = 'three'
    }),
  )
  const address = `http://127.0.0.1:${port}/shop.zip`
  const path = temporaryFolder()
  const deployVersion = (number: number, version: string) =>
    deploy({ number, path, address, sha: versionId(address, version), ref: version, isPolled: true })

  expect((await deployVersion(1, 'one')).result.state).toBe('succeeded')
  builds.version = 'two'
  const late = await deployVersion(2, 'one')
  const between = await deployVersion(3, 'two')

  expect(late.result).toMatchObject({
    state: 'failed',
    reason: 'source_unavailable',
    detail: `${address} holds version "two" by now, asked for "one"; nothing was changed.`,
  })
  expect(between.result).toMatchObject({ detail: expect.stringContaining('version "three" by now') })
  expect(readFileSync(join(path, 'current/index.html'), 'utf8')).toBe('one')
  expect(await goodReleases({ path })).toMatchObject([{ version: 'one' }])
})

test('a release is fetched, built, made current and noted; hooks know what is new and what was there', async () => {
  const { address, asked } = await openPage()
  const path = temporaryFolder()
  const told = join(path, 'told')
  mkdirSync(join(path, 'shared'))
  writeFileSync(join(path, 'shared/.env'), 'KEY=1')
  const given: Given = {
    number: 1,
    path,
    address,
    shared: ['.env'],
    commands: [['sh', '-c', 'cp .env built; test ! -e ../../current/built']],
    env: { TOLD: { literal: told } },
    hooks: { ...NO_HOOKS, before: [sh(TELL)], verify: [sh(TELL)], afterSuccess: [sh(TELL)] },
  }
  const first = await deploy(given)
  const { result, log } = await deploy({ ...given, number: 2, commands: [['cp', '.env', 'built again']] })

  expect(first.result.state).toBe('succeeded')
  expect(result.state).toBe('succeeded')
  expect(asked).toEqual([`/shop-${SHA.slice(0, 7)}.zip`, `/shop-${SHA.slice(0, 7)}.zip`])
  expect(readlinkSync(join(path, 'current'))).toBe('releases/2')
  expect(readdirSync(join(path, 'current')).toSorted()).toEqual(['.env', 'built again', 'index.html'])
  expect(readFileSync(join(path, 'current/built again'), 'utf8')).toBe('KEY=1')
  const [one, two, current] = [join(path, 'releases/1'), join(path, 'releases/2'), join(path, 'current')]
  expect(readFileSync(told, 'utf8').split('\n')).toEqual([
    `before ${one} ${one}  `,
    `verify ${one} ${current}  `,
    `after_success ${one} ${current}  `,
    `before ${two} ${two} ${one} `,
    `verify ${two} ${current} ${one} `,
    `after_success ${two} ${current} ${one} `,
    '',
  ])
  expect(log).toMatch(/fetch http:\/\/127\.0\.0\.1:\d+\/shop-a84d88e\.zip as release 2$/m)
  expect(log).toMatch(/Downloaded \d+ bytes, version "version 2"\.$/m)
  expect(log).toContain('Unpacked 1 file, 3 bytes.')
  expect(log).toContain(`${current} is release 2.`)
  expect(log).not.toContain('not verified')
  expect(existsSync(join(path, 'releases/.2.json'))).toBe(true)
})

test('whatever is wrong with the source, what is current stays, and no command runs', async () => {
  const builds = await openPage()
  const path = temporaryFolder()
  const given: Given = { number: 1, path, address: builds.address, commands: [['touch', join(path, 'ran')]] }
  await deploy({ ...given, commands: [] })
  const good = builds.content

  for (const [status, content, reason] of [
    [404, good, 'source_unavailable'],
    [500, Buffer.from('<html>'), 'source_unavailable'],
    [200, Buffer.from('<html>'), 'source_refused'],
    [200, Buffer.alloc(0), 'source_refused'],
    [200, good.subarray(0, 40), 'source_refused'],
    [200, zipOf([{ name: '../../evil' }]), 'source_refused'],
  ] as const) {
    Object.assign(builds, { status, content })
    const { result, log } = await deploy({ ...given, number: 2 })

    expect(result).toMatchObject({ state: 'failed', reason })
    if (result.state === 'failed') expect(log).toContain(result.detail)
    expect(readlinkSync(join(path, 'current'))).toBe('releases/1')
    expect(readFileSync(join(path, 'current/index.html'), 'utf8')).toBe('one')
  }
  expect(readdirSync(path).toSorted()).toEqual(['current', 'releases'])
  expect(readdirSync(join(path, 'releases')).toSorted()).toEqual(['.1.json', '1'])
})

test('a command or a hook that fails leaves what is current; the next deployment removes what was half built', async () => {
  const { address, asked } = await openPage()
  const path = temporaryFolder()
  await deploy({ number: 1, path, address })

  const broken = await deploy({ number: 2, path, address, commands: [['false']] })
  expect(broken.result).toMatchObject({ state: 'failed', reason: 'command_failed' })
  asked.length = 0
  const waits = { number: 3, id: 33, path, address, hooks: { ...NO_HOOKS, before: [sh('exit 75')] } }
  expect((await deploy(waits)).result.state).toBe('held')
  const held = await deploy(waits)
  expect(held.result.state).toBe('held')
  expect(held.log).toContain('Release 3 was fetched before, when it had to wait.')
  await deploy({ ...waits, id: 34 })
  expect(asked).toHaveLength(2)
  await deploy({ ...waits, id: 34, sha: '1'.repeat(40) })
  expect(asked).toHaveLength(3)
  expect(readlinkSync(join(path, 'current'))).toBe('releases/1')
  await deploy({ number: 4, path, address })

  expect(readlinkSync(join(path, 'current'))).toBe('releases/4')
  expect(readdirSync(join(path, 'releases')).toSorted()).toEqual(['.1.json', '.4.json', '1', '4'])
})

test.each(['link', 'directory'] as const)(
  'a verification that fails brings the release before back (target: %s)',
  async (target) => {
    const builds = await openPage()
    const path = temporaryFolder()
    const told = join(temporaryFolder(), 'told')
    const env = { TOLD: { literal: told } }
    const given = { path, address: builds.address, target, env }
    const current = join(path, 'current/index.html')
    await deploy({ ...given, number: 1 })
    builds.content = archive('two')

    const verify = sh(`${TELL}; cat ${current} >> "$TOLD"; grep -q one ${current}`)
    const tell: Hook = {
      command: ['sh', '-c', 'echo "$1\n$FERRYMAN_RELEASE" >> "$TOLD"', 'sh', '{workspace}'],
    }
    const hooks = { ...NO_HOOKS, verify: [verify, tell] }
    const { result, log } = await deploy({ ...given, number: 2, hooks })

    expect(result).toMatchObject({ state: 'failed', reason: 'verification_failed' })
    expect(log).toContain('Rolled back to release 1.')
    expect(readFileSync(current, 'utf8')).toBe('one')
    const before = target === 'link' ? join(path, 'releases/1') : join(path, 'saved')
    const [live, folder, back] = [join(path, 'current'), join(path, 'releases/2'), join(path, 'releases/1')]
    expect(readFileSync(told, 'utf8')).toBe(
      `verify ${folder} ${live} ${before} \ntwoverify ${back} ${live}  1\none${back}\n${back}\n`,
    )
    await deploy({ ...given, number: 3 })
    expect(readdirSync(join(path, 'releases')).toSorted()).toEqual(['.1.json', '.3.json', '1', '3'])
  },
)

test('what a deployment has built that fails goes at once where the disk is full, unless it is current', async () => {
  const { address } = await openPage()
  const path = temporaryFolder()
  const parts = { isFull: async () => true }
  const given = { path, address, parts }
  const waits = { ...given, number: 1, hooks: { ...NO_HOOKS, before: [sh('exit 75')] } }
  expect((await deploy(waits)).result.state).toBe('held')
  expect(readdirSync(join(path, 'releases'))).toContain('1')

  const { log } = await deploy({ ...given, number: 2, commands: [['false']] })
  expect(log).toContain('Removed what was built as release 2, since the disk is full.')
  expect(readdirSync(join(path, 'releases'))).toEqual([])

  await deploy({ ...given, number: 3, hooks: { ...NO_HOOKS, verify: [sh('false')] } })
  expect(readlinkSync(join(path, 'current'))).toBe('releases/3')
  expect(existsSync(join(path, 'current/index.html'))).toBe(true)
})

test('an address without a commit is said to be unverified, and a folder in the way ends it before anything', async () => {
  const { address, asked } = await openPage()
  const path = temporaryFolder()
  const { log } = await deploy({ number: 1, path, address: address.replace('{short_sha}', 'latest') })

  expect(log).toContain('Version not verified: the address of the source has no {sha} in it')
  const other = temporaryFolder()
  mkdirSync(join(other, 'current'))
  const { result } = await deploy({ number: 1, path: other, address })
  expect(result).toMatchObject({ state: 'failed', reason: 'release_failed', steps: [] })
  expect(asked).toHaveLength(1)
})

test('a folder that was there before us comes back as it was when the first release is not good', async () => {
  const { address } = await openPage()
  const path = temporaryFolder()
  const precious = join(path, 'current/precious')
  mkdirSync(precious, { recursive: true })
  writeFileSync(join(precious, 'upload'), 'x', { mode: 0o600 })
  // Only root may give them to somebody else.
  const uid = process.geteuid?.() === 0 ? 65_534 : Number(process.geteuid?.())
  for (const one of [precious, join(precious, 'upload')]) chownSync(one, uid, Number(process.getegid?.()))
  const verify = sh('test -e "$CURRENT_CONFIG/precious"')

  const { result, log } = await deploy({
    number: 1,
    path,
    address,
    target: 'directory',
    hooks: { ...NO_HOOKS, verify: [verify] },
  })

  expect(result).toMatchObject({ state: 'failed', reason: 'verification_failed' })
  expect(log).toContain('Rolled back to what was there before.')
  expect(readdirSync(join(path, 'current'))).toEqual(['precious'])
  expect(statSync(precious)).toMatchObject({ uid, mode: 0o040755 })
  expect(statSync(join(precious, 'upload'))).toMatchObject({ uid, mode: 0o100600 })
})

/** Deploys release 2 after a good one, until its verify hook hangs; then it is ended for that reason. */
async function endWhileVerifying(stop: Stop, given: Partial<Given> = {}) {
  const { address } = await openPage()
  const path = temporaryFolder()
  const ending = new AbortController()
  await deploy({ number: 1, path, address })
  const verify = 'touch verified; test -n "$FERRYMAN_ROLLBACK" && echo back || sleep 600'
  const running = deploy({
    number: 2,
    path,
    address,
    hooks: { ...NO_HOOKS, verify: [sh(verify)] },
    parts: { signal: ending.signal },
    ...given,
  })
  await eventually('it is verified', () => existsSync(join(path, 'releases/2/verified')))
  ending.abort(stop)
  return { ...(await running), path, address }
}

test('one that somebody cancels after its switch makes room for the release before', async () => {
  const { result, log, path } = await endWhileVerifying({ kind: 'by_person', detail: 'Cancelled by mona' })

  expect(result).toMatchObject({
    state: 'cancelled',
    reason: 'by_person',
    detail: 'Cancelled by mona; rolled back to release 1',
  })
  expect(readlinkSync(join(path, 'current'))).toBe('releases/1')
  expect(log).toMatch(/^back$/m)
  expect(log).not.toContain('not proved')
})

test('after a cancel nothing waits for ever until what came back is proved', async () => {
  const { result, path } = await endWhileVerifying(
    { kind: 'by_person', detail: 'Cancelled by mona' },
    { hooks: { ...NO_HOOKS, verify: [sh('touch verified; sleep 600')], timeoutSeconds: 0.3 } },
  )

  expect(readlinkSync(join(path, 'current'))).toBe('releases/1')
  expect(result.state === 'cancelled' && result.detail).toMatch(
    /; the application may be unstable: rolling back to release 1 failed as well \(The time limit of 0\.3 s was reached in .*\)$/,
  )
})

test('one that a server which stops has cut short stays, since it may be its own, and the log says that it was not proved', async () => {
  const { result, log, path, address } = await endWhileVerifying({
    kind: 'interrupted',
    detail: 'Interrupted.',
  })

  expect(result).toMatchObject({ state: 'failed', reason: 'interrupted' })
  expect(log).toContain(`${path}/current is release 2, which was not proved to be good.`)
  await deploy({ number: 3, path, address })
  expect(readdirSync(join(path, 'releases')).toSorted()).toEqual([
    '.1.json',
    '.2.begun',
    '.3.json',
    '1',
    '2',
    '3',
  ])
})

test.runIf(inject('mounts'))('one whose log cannot be written any more makes room, too', async () => {
  const { address } = await openPage()
  const path = temporaryFolder()
  const disk = mountSmallDisk(join(path, 'logs'), { megabytes: 1 })
  const logs = createLogs({ directory: disk.folder, clock: Date.now })
  const log = await logs.open(1, { maxBytes: 1_000_000, masker: createMasker([]) })
  await deploy({ number: 1, path, address })

  const { result } = await deploy({
    number: 2,
    path,
    address,
    hooks: {
      ...NO_HOOKS,
      verify: [sh(`cat /dev/zero > ${disk.folder}/ballast; seq 3000`), sh('true')],
      afterFailure: [sh('touch ../../told')],
    },
    parts: { log },
  })

  expect(result).toMatchObject({ state: 'failed', reason: 'log_unwritable' })
  expect(result.state === 'failed' && result.detail).toContain(
    '; the application may be unstable: rolling back to release 1 failed as well',
  )
  expect(readlinkSync(join(path, 'current'))).toBe('releases/1')
  expect(existsSync(join(path, 'told'))).toBe(false)
  disk.empty()
  await log.close()
})

test('who goes back gets the release that was there, in no time and without its source', async () => {
  const builds = await openPage()
  const path = temporaryFolder()
  const told = join(temporaryFolder(), 'told')
  const [first, second] = ['1'.repeat(40), '2'.repeat(40)]
  const given = {
    path,
    address: builds.address,
    commands: [['touch', 'built']],
    env: { TOLD: { literal: told } },
  }
  await deploy({ ...given, number: 1, sha: first })
  builds.content = archive('two')
  await deploy({ ...given, number: 2, sha: second })
  builds.status = 404
  builds.asked.length = 0

  const hooks = { ...NO_HOOKS, verify: [sh(TELL)] }
  const back = { ...given, number: 3, goesBack: true, commands: [['false']], hooks }
  const { result, log } = await deploy({ ...back, sha: first })

  expect(result).toMatchObject({ state: 'succeeded' })
  expect(log).toContain('Release 1 is there: nothing is fetched, and no command is run.')
  expect(builds.asked).toEqual([])
  expect(readFileSync(join(path, 'current/index.html'), 'utf8')).toBe('one')
  const [one, two, current] = [join(path, 'releases/1'), join(path, 'releases/2'), join(path, 'current')]
  expect(readFileSync(told, 'utf8')).toBe(`verify ${one} ${current} ${two} 1\n`)

  // One that is gone has to be fetched again, and what is current stays where that cannot be.
  const gone = await deploy({ ...back, number: 4, sha: '3'.repeat(40) })
  expect(gone.result).toMatchObject({ state: 'failed', reason: 'source_unavailable' })
  expect(readlinkSync(join(path, 'current'))).toBe('releases/1')
})

test('a clone around the releases, from before there were any, says nothing about what is in them', async () => {
  const { address } = await openPage()
  const path = temporaryFolder()
  const git = (...words: string[]) => execFileSync('git', words, { cwd: path })
  git('init', '-q')
  git('remote', 'add', 'origin', 'https://github.com/acme/shop.git')
  git('-c', 'user.name=Mona', '-c', 'user.email=mona@example.org', 'commit', '-q', '--allow-empty', '-m', 'x')

  const { result } = await deploy({ number: 1, path, address })

  expect(result).toMatchObject({ state: 'succeeded', deployedSha: undefined })
  expect(await goodReleases({ path })).toMatchObject([{ sha: SHA }])
})

test('a deployment that is taken back while it downloads ends at once, and changes nothing', async () => {
  const path = temporaryFolder()
  const ending = new AbortController()
  const stop: Stop = { kind: 'by_person', detail: 'Cancelled by mona.' }
  const port = await listen(
    createServer((_, response) => response.write('PK', () => ending.abort(stop))), // and never its end
  )

  const { result } = await deploy({
    number: 1,
    path,
    address: `http://127.0.0.1:${port}/shop.zip`,
    parts: { signal: ending.signal },
  })

  expect(result).toMatchObject({ state: 'cancelled', reason: 'by_person' })
  expect(readdirSync(path)).toEqual(['releases'])
})

test('a release may be a checkout: its files are deployed, and not its history', async () => {
  const source = gitSource()
  const path = temporaryFolder()
  const data = temporaryFolder()
  const checkouts = {
    mirrors: createMirrors(join(data, 'mirrors')),
    workspaces: join(data, 'workspaces'),
    githubUrl: () => 'https://github.com',
    readingToken: () => Promise.reject(new Error('GitHub is not asked.')),
  }
  const deployCommit = (sha: string, number: number, directory?: string) =>
    runFor({
      commands: [],
      parts: { checkouts },
      deployment: {
        sha,
        number,
        startedAt: number,
        recipe: recipe({
          folder: IN_WORKSPACE,
          workspace: { url: source.folder, submodules: false, lfs: false },
          releases: {
            path,
            keep: 3,
            shared: ['storage/'],
            target: 'link',
            ...(directory === undefined ? {} : { directory }),
          },
          commands: [['sh', '-c', 'git rev-parse HEAD > commit; chmod -R a+w .']],
        }),
      },
    })
  const first = source.commit({ 'index.html': 'one', 'storage/.gitkeep': '' })
  const second = source.commit({ 'index.html': 'two' })

  for (const [sha, number] of [
    [first, 1],
    [second, 2],
    [first, 3],
  ] as const)
    expect((await deployCommit(sha, number)).result).toMatchObject({
      state: 'succeeded',
      deployedSha: undefined,
    })
  const { result } = await deployCommit('0'.repeat(40), 4)

  expect(result).toMatchObject({ state: 'failed', reason: 'source_unavailable' })
  expect(readlinkSync(join(path, 'current'))).toBe('releases/3')
  expect(readFileSync(join(path, 'current/commit'), 'utf8')).toBe(`${first}\n`)
  expect(readFileSync(join(path, 'releases/2/index.html'), 'utf8')).toBe('two')
  expect(readdirSync(join(path, 'current')).toSorted()).toEqual(['commit', 'index.html', 'storage'])
  expect(readdirSync(join(path, 'shared/storage'))).toEqual(['.gitkeep'])

  const packs = join(checkouts.mirrors.pathOf('acme/shop'), 'objects/pack')
  for (const pack of readdirSync(packs)) expect(statSync(join(packs, pack)).mode & 0o222).toBe(0)

  const third = source.commit({ 'app/web/page': 'three', 'app/.git.md': '' })
  source.git('config', 'core.symlinks', 'true')
  symlinkSync('..', join(source.folder, 'app/out'))
  const fourth = source.commit({})
  const inside = await deployCommit(third, 5, 'app')
  const outside = await deployCommit(fourth, 6, 'app/out')
  const missing = await deployCommit(fourth, 7, 'none')
  symlinkSync('.git', join(source.folder, 'history'))
  const ofGit = await deployCommit(source.commit({}), 8, 'history')

  expect(inside.result).toMatchObject({ state: 'succeeded', deployedSha: undefined })
  expect(readdirSync(join(path, 'current')).toSorted()).toEqual(['.git.md', 'commit', 'storage', 'web'])
  expect(readFileSync(join(path, 'current/commit'), 'utf8')).toBe(`${third}\n`)
  expect(outside.result).toMatchObject({ state: 'failed', reason: 'folder_missing' })
  expect(missing.result).toMatchObject({ reason: 'folder_missing' })
  expect(ofGit.result).toMatchObject({ reason: 'folder_missing' })
  expect(readlinkSync(join(path, 'current'))).toBe('releases/5')
})
