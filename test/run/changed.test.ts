import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { describe, expect, test } from 'vitest'

import { NO_HOOKS, type Command } from '../../src/deployment/recipe.ts'
import { changedIn } from '../../src/run/changed.ts'
import { recipe, SHA } from '../support/samples.ts'
import { runFor, temporaryFolder } from '../support/running.ts'

const PATH = '/usr/local/bin:/usr/bin:/bin'

/** A work tree, and how to commit files in it. */
function workTree() {
  const tree = temporaryFolder()
  const git = (...args: string[]): string =>
    execFileSync('git', ['-C', tree, '-c', 'user.name=x', '-c', 'user.email=x@example.org', ...args], {
      encoding: 'utf8',
    }).trim()
  git('init', '-q')
  const commit = (...files: string[]): string => {
    for (const file of files) {
      mkdirSync(dirname(join(tree, file)), { recursive: true })
      writeFileSync(join(tree, file), file)
    }
    git('add', '.')
    git('commit', '-q', '--allow-empty', '-m', 'some')
    return git('rev-parse', 'HEAD')
  }
  return { tree, git, commit }
}

const short = (sha: string): string => sha.slice(0, 7)

describe('what has changed between two commits', () => {
  test.each([
    [['db/**'], true],
    [['db/*'], false],
    [['db'], true],
    [['db/migrations'], true],
    [['d'], false],
    [['*'], true],
    [['same'], false],
    [['x', '**/1_users.sql'], true],
    [['**/*.{rb,sql}'], true],
    [['docs/**'], true],
    [['.github/**'], true],
    [['app/ä b.txt'], true],
    [['old.txt'], true],
    [['new.txt'], true],
    [['Db/**'], false],
    [['same/**'], false],
  ])('%j: %s', async (patterns, isChanged) => {
    const { tree, git, commit } = workTree()
    const previousSha = commit('old.txt', 'same/a')
    git('mv', 'old.txt', 'new.txt')
    const sha = commit('db/migrations/1_users.sql', 'docs/.hidden', '.github/x.yml', 'app/ä b.txt')

    const changed = await changedIn(patterns, { folder: join(tree, 'db'), sha, previousSha, path: PATH })

    expect(changed.isChanged).toBe(isChanged)
  })

  test('is said in a sentence where nothing matches', async () => {
    const { tree, commit } = workTree()
    const [one, two, three] = [commit('a'), commit('b'), commit('c', 'd')]
    const ask = (previousSha: string, sha: string) =>
      changedIn(['db/**', 'x'], { folder: tree, sha, previousSha, path: PATH })

    expect([await ask(one, three), await ask(one, two), await ask(one, one)]).toEqual([
      {
        isChanged: false,
        because: `None of the 3 files changed from ${short(one)} to ${short(three)} matches db/** or x.`,
      },
      {
        isChanged: false,
        because: `The one file changed from ${short(one)} to ${short(two)} does not match db/** or x.`,
      },
      { isChanged: false, because: `Nothing differs between ${short(one)} and ${short(one)}.` },
    ])
  })

  test('is not known where a pattern would take for ever, or is none', async () => {
    const { tree, commit } = workTree()
    const [previousSha, sha] = [commit('a'), commit(`${'a'.repeat(60)}b`)]
    const ask = (pattern: string) => changedIn([pattern], { folder: tree, sha, previousSha, path: PATH })

    expect([await ask('(a+)+c'), await ask('x'.repeat(70_000))]).toMatchObject([
      { isChanged: undefined, because: 'nobody can say in time what matches (a+)+c' },
      { isChanged: undefined },
    ])
  })

  test('is not known without a success before, without git, and without one of the commits', async () => {
    const { tree, commit } = workTree()
    const sha = commit('a')
    const ask = (folder: string, previousSha?: string) =>
      changedIn(['**'], { folder, sha, previousSha, path: PATH })
    const elsewhere = temporaryFolder()

    expect([await ask(tree), await ask(elsewhere, sha), await ask(tree, SHA)]).toEqual([
      { isChanged: undefined, because: 'nothing has been deployed here before' },
      { isChanged: undefined, because: `${elsewhere} is in no work tree of git` },
      { isChanged: undefined, because: `git cannot compare ${short(SHA)} with ${short(sha)} in ${tree}` },
    ])
  })
})

describe('a command with a condition', () => {
  const migrate = { words: ['echo', 'migrated'], name: 'migrate', onlyIfChanged: ['db/**'] }

  async function runIn(folder: string, commits: { sha: string; previousSha?: string }, hook?: Command) {
    const { sha, previousSha } = commits
    const hooks = hook === undefined ? NO_HOOKS : { ...NO_HOOKS, afterSuccess: [{ command: hook }] }
    const { result, log } = await runFor({
      commands: [],
      deployment: { sha, recipe: recipe({ folder, commands: [migrate, ['echo', 'deployed']], hooks }) },
      parts: { previousSha },
    })
    return { result, log: log.replaceAll(/\d\.\d s/g, '0.0 s') }
  }

  test('is left out where nothing of it has changed, and log and history say so', async () => {
    const { tree, commit } = workTree()
    const [previousSha, sha] = [commit('a'), commit('b')]
    const skipped = `The one file changed from ${short(previousSha)} to ${short(sha)} does not match db/**.`

    const { result, log } = await runIn(tree, { sha, previousSha }, { ...migrate, name: 'tell' })

    expect(log).toContain(
      `▸ $ echo migrated  # migrate\n▸ skipped: ${skipped}\n▸ $ echo deployed\ndeployed\n`,
    )
    expect(log).not.toContain('\nmigrated')
    const nothing = { exitCode: undefined, signal: undefined, seconds: 0 }
    expect(result).toMatchObject({
      state: 'succeeded',
      steps: [
        { name: 'echo migrated', label: 'migrate', skipped, ...nothing },
        { name: 'echo deployed', exitCode: 0 },
        { name: 'echo migrated', label: 'tell', hook: 'after_success', skipped, ...nothing },
      ],
    })
  })

  test('runs where something of it has changed', async () => {
    const { tree, commit } = workTree()

    const { result, log } = await runIn(tree, { previousSha: commit('a'), sha: commit('db/1.sql') })

    expect(log).toContain('▸ $ echo migrated  # migrate\nmigrated\n▸ exit 0')
    expect(result.steps.map(({ skipped }) => skipped)).toEqual([undefined, undefined])
  })

  test('runs where that cannot be known, and the log says why', async () => {
    const { tree, commit } = workTree()

    const { log } = await runIn(tree, { sha: commit('a') })

    expect(log).toContain(
      'The next step runs whatever has changed: nothing has been deployed here before.\n▸ $ echo migrated  # migrate\nmigrated\n',
    )
  })
})
