import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'

import { expect, inject, test } from 'vitest'

import { IN_WORKSPACE, type CommandsRecipe, type Workspace } from '../../../src/deployment/recipe.ts'
import type { Stop } from '../../../src/run/limits.ts'
import type { RunParts } from '../../../src/run/parts.ts'
import { createMirrors } from '../../../src/run/workspace/mirrors.ts'
import { gitSource } from '../../support/git-source.ts'
import { eventually, runFor, temporaryFolder } from '../../support/running.ts'
import { recipe } from '../../support/samples.ts'
import { mountSmallDisk } from '../../support/small-disk.ts'

interface Given extends Partial<Omit<CommandsRecipe, 'workspace'>> {
  readonly sha: string
  readonly workspace?: Partial<Workspace>
  readonly environment?: string
  readonly parts?: Partial<RunParts>
}

/** A server's data directory and a repository; runs deployments of commits one after the other. */
function place(source = gitSource()) {
  const data = temporaryFolder()
  const checkouts = {
    mirrors: createMirrors(join(data, 'mirrors')),
    workspaces: join(data, 'workspaces'),
    githubUrl: () => 'https://github.com',
    readingToken: () => Promise.reject(new Error('GitHub is not asked.')),
  }
  const deploy = ({ sha, workspace, environment = 'production', parts, ...given }: Given) =>
    runFor({
      commands: [],
      deployment: {
        sha,
        environment,
        recipe: recipe({
          folder: IN_WORKSPACE,
          workspace: { url: source.folder, submodules: false, lfs: false, ...workspace },
          ...given,
        }),
      },
      parts: { checkouts, ...parts },
    })
  const left = (): string[] => (existsSync(checkouts.workspaces) ? readdirSync(checkouts.workspaces) : [])
  return { source, data, mirror: checkouts.mirrors.pathOf('acme/shop'), deploy, left }
}

const gitOutput = (folder: string, ...words: string[]): string =>
  execFileSync('git', ['-C', folder, ...words], { encoding: 'utf8' }).trim()

/** The commands of the log, and whether it says that they failed. */
const commandsIn = (log: string): string[] =>
  [...log.matchAll(/^▸ \$ (git )?(\S+)/gm)].map(([, git = '', word = '']) => `${git}${word}`)

test('a repository may know its commits by SHA-256', async () => {
  const { source, deploy } = place(gitSource(temporaryFolder(), 'sha256'))
  const sha = source.commit({ 'run.sh': 'echo one\n' })

  const { result, log } = await deploy({ sha, commands: [['sh', 'run.sh']] })

  expect(sha).toHaveLength(64)
  expect(result).toMatchObject({ state: 'succeeded' })
  expect(log).toContain('\none\n')
})

test('each deployment has a checkout of its own, with what git knows of its history, and leaves none', async () => {
  const { source, deploy, left } = place()
  const first = source.commit({ 'app/run.sh': 'echo one\n' }, 'First')
  source.git('tag', 'v1')
  const second = source.commit({ 'app/run.sh': 'echo two\n' }, 'Second')
  source.commit({ 'app/run.sh': 'echo three\n' })
  const commands = [
    ['sh', 'app/run.sh'],
    ['git', 'describe', '--tags'],
    ['git', 'log', '--format=%s'],
    ['git', 'status', '--porcelain', '--branch'],
    ['sh', '-c', 'pwd; echo "$FERRYMAN_WORKSPACE"; git remote get-url origin; touch app/left'],
    ['ls', '{workspace}/app'],
  ]

  const one = await deploy({ sha: second, commands })
  const other = await deploy({
    sha: first,
    commands: [
      ['sh', 'app/run.sh'],
      ['ls', 'app'],
    ],
  })

  expect(one.result).toMatchObject({ state: 'succeeded', deployedSha: undefined })
  expect(one.log).toContain('\ntwo\n')
  expect(one.log).not.toContain('warning')
  expect(one.log).toMatch(/\nv1-1-g\w+\n/)
  expect(one.log).toContain('\nSecond\nFirst\n')
  expect(one.log).toContain('\n## HEAD (no branch)\n▸')
  const [, cwd, variable, origin] = /\n(\/.*)\n(\/.*)\n(\/.*)\n▸/.exec(one.log) ?? []
  expect([variable, origin]).toEqual([cwd, source.folder])
  expect(one.log).toContain('\nleft\nrun.sh\n')
  expect(commandsIn(one.log).slice(0, 3)).toEqual(['git init', 'git fetch', 'git clone'])
  expect(other.log).toContain('\none\n')
  expect(other.log).toContain('\nrun.sh\n▸')
  expect(commandsIn(other.log)).toEqual(['git clone', 'sh', 'ls'])
  expect(other.result.steps.map(({ name, action }) => action ?? name.split(' ', 2).join(' '))).toEqual([
    'git clone',
    'done',
    'sh app/run.sh',
    'ls app',
  ])
  expect(left()).toEqual([])
})

test('a folder in the checkout is where commands run, and no link leads them out of it', async () => {
  const { source, deploy, left } = place()
  mkdirSync(join(source.folder, 'inner'))
  symlinkSync('/tmp', join(source.folder, 'outer'))
  const sha = source.commit({ 'inner/file': '' })

  const inner = await deploy({ sha, folder: `${IN_WORKSPACE}/inner`, commands: [['ls']] })
  const outer = await deploy({ sha, folder: `${IN_WORKSPACE}/outer`, commands: [['ls']] })
  const none = await deploy({ sha, folder: `${IN_WORKSPACE}/none`, commands: [['ls']] })

  expect(inner.log).toContain('\nfile\n')
  expect(outer.result).toMatchObject({
    reason: 'folder_missing',
    detail: 'The folder outer of the checkout leads out of it, to /tmp.',
  })
  expect(none.result).toMatchObject({
    reason: 'folder_missing',
    detail: 'There is no folder none in the checkout.',
  })
  expect(left()).toEqual([])
})

test('a commit that is not there, and a source that is not there, are two things to say', async () => {
  const { source, deploy, left } = place()
  const sha = source.commit({ a: '' })
  const missing = 'f'.repeat(40)

  const noSource = await deploy({ sha, workspace: { url: '/nowhere/shop' }, commands: [['touch', 'ran']] })
  const noCommit = await deploy({ sha: missing, commands: [['touch', 'ran']] })

  expect(noCommit.result).toMatchObject({
    state: 'failed',
    reason: 'source_unavailable',
    detail: `The commit ${missing} is not in acme/shop at ${source.folder}, or cannot be fetched from there.`,
  })
  expect(noSource.result).toMatchObject({
    reason: 'source_unavailable',
    detail:
      "acme/shop cannot be fetched from /nowhere/shop: fatal: '/nowhere/shop' does not appear to be a git repository",
  })
  expect(left()).toEqual([])
})

test.for(['a pack', 'its head', 'everything', 'a lock is left'])(
  'a mirror that is damaged is made anew: %s',
  async (what) => {
    const { source, deploy, mirror } = place()
    const first = source.commit({ a: 'one' })
    await deploy({ sha: first, commands: [['true']] })
    const packs = join(mirror, 'objects/pack')
    const pack = readdirSync(packs).find((name) => name.endsWith('.pack')) ?? ''
    rmSync(join(packs, pack))
    const damage = {
      'a pack': () => writeFileSync(join(packs, pack), 'PACK of nothing'),
      'its head': () => writeFileSync(join(mirror, 'HEAD'), 'nonsense'),
      everything: () => rmSync(join(mirror, 'objects'), { recursive: true }),
      'a lock is left': () => writeFileSync(join(mirror, 'packed-refs.lock'), ''),
    }
    damage[what as keyof typeof damage]()

    const again = await deploy({ sha: first, commands: [['cat', 'a']] })
    const later = await deploy({ sha: source.commit({ a: 'two' }), commands: [['cat', 'a']] })

    expect([again.result.state, later.result.state]).toEqual(['succeeded', 'succeeded'])
    expect(again.log).toContain('\none')
    expect(later.log).toContain('\ntwo')
  },
)

test.skipIf(!inject('mounts'))(
  'a fetch that fills the disk leaves nothing of what it has brought',
  async () => {
    const { source, data, mirror, deploy } = place()
    mountSmallDisk(join(data, 'mirrors'), { megabytes: 2 })
    const sha = source.commit({ large: randomBytes(3_000_000).toString('base64') })

    const { result } = await deploy({ sha })

    expect(result).toMatchObject({ state: 'failed', reason: 'source_unavailable' })
    expect(readdirSync(join(mirror, 'objects/pack'))).toEqual([])
  },
)

test('two environments of a repository at once fetch one after the other', async () => {
  const { source, deploy } = place()
  const sha = source.commit({ a: 'one' })

  const both = await Promise.all(
    ['staging', 'production'].map((environment) => deploy({ sha, environment, commands: [['cat', 'a']] })),
  )

  expect(both.map(({ result }) => result.state)).toEqual(['succeeded', 'succeeded'])
  const fetches = both.map(({ log }) => commandsIn(log).filter((one) => one === 'git fetch').length)
  expect(new Set(fetches)).toEqual(new Set([0, 1]))
  expect(both.map(({ log }) => log).join('')).toContain(
    'Waits until another deployment has fetched acme/shop.',
  )
})

test('a checkout goes after a failure and after a cancel, also where it may not be written', async () => {
  const { source, deploy, left } = place()
  const sha = source.commit({ a: '' })
  const ending = new AbortController()
  const stop: Stop = { kind: 'by_person', detail: 'Cancelled by mona' }

  const failed = await deploy({
    sha,
    commands: [['sh', '-c', 'mkdir -p x/y; touch x/y/z; chmod 0555 x/y; exit 1']],
  })
  const cancelled = deploy({
    sha,
    commands: [['sh', '-c', 'touch begun; sleep 60']],
    parts: { signal: ending.signal },
  })
  const [only] = await (async () => {
    await eventually('it runs', () => left().length === 1)
    return left()
  })()
  expect(only).toMatch(/^[0-9a-f]{32}$/)
  ending.abort(stop)

  expect(failed.result).toMatchObject({ state: 'failed', reason: 'command_failed' })
  expect((await cancelled).result).toMatchObject({ state: 'cancelled' })
  expect(left()).toEqual([])
})

test('once a day what is kept is tidied, and large files that were fetched long ago go', async () => {
  const { source, deploy, mirror } = place()
  const sha = source.commit({ a: '' })
  const old = join(mirror, 'lfs/objects/ab/cd/abcd')
  const commands = [['true']]

  const first = await deploy({ sha, commands })
  mkdirSync(join(old, '..'), { recursive: true })
  writeFileSync(old, '')
  const long = new Date(Date.now() - 40 * 86_400_000)
  utimesSync(old, long, long)
  const second = await deploy({ sha, commands })
  utimesSync(join(mirror, 'ferryman-tidied'), long, long)
  expect(existsSync(old)).toBe(true)
  const third = await deploy({ sha, commands })

  const isTidied = ({ log }: { log: string }): boolean => log.includes('▸ tidy what is kept of acme/shop\n')
  expect([first, second, third].map(isTidied)).toEqual([true, false, true])
  expect(commandsIn(third.log).at(-1)).toBe('git -c')
  expect(third.result.state).toBe('succeeded')
  expect(existsSync(old)).toBe(false)
})

test.each([
  ['that is gone', 'rm -r "$0"', /exit 0 \(\S+ s\)\n$/],
  [
    'where nothing can be written',
    'mkdir "$0/ferryman-tidied" && touch -d "2 days ago" "$0/ferryman-tidied"',
    /tidy what is kept of acme\/shop\n▸ That could not be done: EISDIR.*\n$/,
  ],
])('what is kept %s is not tidied, which changes nothing about the success', async (_, script, said) => {
  const { source, deploy, mirror } = place()

  const { result, log } = await deploy({
    sha: source.commit({ a: '' }),
    commands: [['sh', '-c', script, mirror]],
  })

  expect(result.state).toBe('succeeded')
  expect(log).toMatch(said)
})

test('submodules are checked out when that is asked for', async () => {
  const { source, deploy } = place()
  const library = gitSource()
  library.commit({ code: 'of the library' })
  source.git('submodule', '--quiet', 'add', library.folder, 'library')
  const sha = source.commit({ a: '' })
  const commands = [['sh', '-c', 'cat library/code || true']]

  const without = await deploy({ sha, commands })
  const within = await deploy({ sha, workspace: { submodules: true }, commands })

  expect(without.log).not.toContain('of the library')
  expect(within.log).toContain('of the library')
})

test('git gets nothing of the variables of the commands, and the commands nothing of those of git', async () => {
  const { source, deploy, data } = place()
  const sha = source.commit({ a: '' })
  const spy = join(data, 'spy')
  writeFileSync(spy, '#!/bin/sh\nenv > "${0%/*}/seen-$1"\nexec /usr/bin/git "$@"\n', { mode: 0o755 })
  const bin = join(data, 'bin')
  mkdirSync(bin)
  symlinkSync(spy, join(bin, 'git'))
  const PATH = `${bin}:${process.env['PATH']}`

  const { result, log } = await deploy({
    sha,
    env: { PATH: { literal: PATH }, DEPLOY_TOKEN: { literal: 'opensesame' } },
    commands: [['sh', '-c', 'env | grep ^GIT_ || true']],
  })

  const seen = readFileSync(join(bin, 'seen-fetch'), 'utf8')
  expect(result.state).toBe('succeeded')
  expect(seen).toContain('GIT_ALLOW_PROTOCOL=file\n')
  expect(seen).not.toContain('opensesame')
  expect(log).not.toContain('\nGIT_')
})

test('a git that is killed when it is asked something makes nobody throw away what is kept', async () => {
  const { source, mirror, deploy } = place()
  await deploy({ sha: source.commit({ a: '' }) })
  writeFileSync(join(mirror, 'kept'), '')
  const programs = temporaryFolder()
  const asks = 'case "$*" in *cat-file*|*rev-parse*) kill -9 $$ ;; esac'
  writeFileSync(join(programs, 'git'), `#!/bin/sh\n${asks}\nPATH=${process.env['PATH']} exec git "$@"\n`, {
    mode: 0o755,
  })
  const env = { PATH: { literal: `${programs}:${process.env['PATH']}` } }

  const { result } = await deploy({ sha: source.commit({ a: '2' }), env, commands: [['grep', '2', 'a']] })

  expect(result.state).toBe('succeeded')
  expect(existsSync(join(mirror, 'kept'))).toBe(true)
})

test('a dry run leaves alone what keeps the commit of the last deployment known', async () => {
  const { source, deploy, mirror } = place()
  const first = source.commit({ 'run.sh': 'true\n' }, 'First')
  const second = source.commit({ 'run.sh': 'true # again\n' }, 'Second')
  const refs = (): string[] =>
    gitOutput(mirror, 'for-each-ref', '--format=%(objectname)').split('\n').toSorted()

  await deploy({ sha: first, commands: [['true']] })
  expect(refs()).toEqual([first])
  await deploy({ sha: second, commands: [['true']], parts: { asking: ['--check'] } })
  expect(refs()).toEqual([first, second].toSorted())
})
