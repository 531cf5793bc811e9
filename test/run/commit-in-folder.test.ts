import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

import { expect, test } from 'vitest'

import { commitInFolder } from '../../src/run/commit-in-folder.ts'
import { SHA } from '../support/samples.ts'
import { temporaryFolder } from '../support/running.ts'

const PATH = '/usr/local/bin:/usr/bin:/bin'

/** A work tree with two commits. */
function workTree() {
  const directory = temporaryFolder()
  const tree = join(directory, 'tree')
  mkdirSync(join(tree, 'app'), { recursive: true })
  const git = (...args: string[]): string =>
    execFileSync('git', ['-C', tree, '-c', 'user.name=x', '-c', 'user.email=x@example.org', ...args], {
      encoding: 'utf8',
    }).trim()
  git('init', '-q')
  const commit = (): string => {
    git('commit', '-q', '--allow-empty', '-m', 'some')
    return git('rev-parse', 'HEAD')
  }
  return { directory, tree, git, first: commit(), head: commit() }
}

const ask = (folder: string, sha: string): Promise<string | undefined> =>
  commitInFolder(folder, { sha, repository: 'acme/shop', path: PATH })

test('a work tree that knows the commit tells where it is', async () => {
  const { tree, first, head } = workTree()

  expect(await ask(tree, head)).toBe(head)
  expect(await ask(tree, first)).toBe(head)
})

test.each([
  ['git@github.com:acme/shop.git', true],
  ['https://github.com/ACME/Shop', true],
  ['ssh://git@github.example.org/acme/shop.git/', true],
  ['https://github.com/acme/workshop', false],
  ['../elsewhere', false],
])('a remote %s is the repository: %s', async (address, isIt) => {
  const { tree, git, head } = workTree()
  git('remote', 'add', 'origin', address)

  expect(await ask(tree, SHA)).toBe(isIt ? head : undefined)
})

test('also through a link, and from a folder within', async () => {
  const { directory, tree, first, head } = workTree()
  symlinkSync(tree, join(directory, 'current'))

  expect(await ask(join(directory, 'current'), first)).toBe(head)
  expect(await ask(join(tree, 'app'), first)).toBe(head)
})

test.skipIf(process.getuid?.() !== 0)('also where the tree belongs to another user', async () => {
  const { directory, tree, first, head } = workTree()
  symlinkSync(tree, join(directory, 'current'))
  for (const path of [tree, join(tree, '.git')]) chownSync(path, 65_534, 65_534)

  for (const folder of [tree, join(directory, 'current'), join(tree, 'app')])
    expect(await ask(folder, first)).toBe(head)
})

test('a partial clone is not made to fetch, with whatever program it names', async () => {
  const { directory, tree, git } = workTree()
  const program = join(directory, 'fetches.sh')
  writeFileSync(program, `#!/bin/sh\ntouch ${directory}/fetched\nexit 1\n`)
  chmodSync(program, 0o755)
  git('config', 'core.repositoryformatversion', '1')
  git('config', 'extensions.partialClone', 'origin')
  git('config', 'remote.origin.url', 'ssh://git@github.example.org/acme/other.git')
  git('config', 'remote.origin.promisor', 'true')
  git('config', 'core.sshCommand', program)

  expect(await ask(tree, SHA)).toBeUndefined()
  expect(existsSync(join(directory, 'fetched'))).toBe(false)
})

test('no folder, no work tree, no commit yet: nothing to say', async () => {
  const directory = temporaryFolder()
  execFileSync('git', ['init', '-q', join(directory, 'empty')])

  expect(await ask('/no/such/folder', SHA)).toBeUndefined()
  expect(await ask(directory, SHA)).toBeUndefined()
  expect(await ask(join(directory, 'empty'), SHA)).toBeUndefined()
})

test('where no more files may be opened git answers nothing, and later it does', () => {
  const words = [
    '-c',
    'ulimit -n 60; exec "$@"',
    'sh',
    process.execPath,
    resolve('test/support/git-without-files.ts'),
  ]

  expect(execFileSync('/bin/sh', words, { encoding: 'utf8' })).toMatch(/^undefined git version /)
})
