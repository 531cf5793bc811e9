import { expect, test } from 'vitest'

import { FerrymanError } from '../../../src/errors.ts'
import { ReleaseFailure } from '../../../src/run/sources/failure.ts'
import { askSource } from '../../../src/run/sources/version.ts'
import { currentUser } from '../../../src/user.ts'
import { gitSource } from '../../support/git-source.ts'
import { environmentConfig, recipe } from '../../support/samples.ts'

const PARTS = {
  server: { environment: { PATH: process.env['PATH'] }, user: currentUser(), npmFolders: [] },
  hide: () => {},
  resolve: () => '',
  signal: new AbortController().signal,
}

const shopAt = (url: string, branch?: string) =>
  environmentConfig({
    repository: 'acme/shop',
    via: 'none',
    branch,
    recipe: { ...recipe(), workspace: { url, submodules: false, lfs: false } },
  })

test('of a git repository it is the head of the branch, or of the one that a clone would have', async () => {
  const source = gitSource()
  const first = source.commit({ file: '1' })
  source.git('branch', 'stable')
  source.git('branch', 'other/refs/heads/stable')
  const second = source.commit({ file: '2' })

  expect(await askSource(shopAt(source.folder), undefined, PARTS)).toEqual({
    sha: second,
    ref: 'main',
    branch: 'main',
  })
  expect(await askSource(shopAt(source.folder, 'stable'), undefined, PARTS)).toEqual({
    sha: first,
    ref: 'stable',
    branch: 'stable',
  })
})

test('a branch with a name that is none is not shown', async () => {
  const source = gitSource()
  const sha = source.commit({ file: '1' })
  const long = 'x'.repeat(245)
  source.git('branch', '--move', long)

  expect(await askSource(shopAt(source.folder), undefined, PARTS)).toEqual({
    sha,
    ref: 'HEAD',
    branch: undefined,
  })
})

test('a person may name a branch, a tag, or a commit in full', async () => {
  const source = gitSource()
  const first = source.commit({ file: '1' })
  source.git('tag', '--annotate', 'v1', '--message', 'One')
  const second = source.commit({ file: '2' })
  const ask = (ref: string) => askSource(shopAt(source.folder, 'nowhere'), ref, PARTS)
  const codeOf = (ref: string) =>
    ask(ref).catch((thrown: unknown) => (thrown instanceof FerrymanError ? thrown.code : thrown))

  expect(await ask('v1')).toEqual({ sha: first, ref: 'v1', branch: undefined })
  expect(await ask('refs/heads/main')).toEqual({ sha: second, ref: 'main', branch: 'main' })
  expect(await ask(first.toUpperCase())).toMatchObject({ sha: first })
  expect(await codeOf('v2')).toBe('ref_unknown')
  expect(await codeOf(first.slice(0, 7))).toBe('commit_in_full')
  expect(await codeOf('--upload-pack=id')).toBe('ref_unknown')
  expect(await codeOf('a b')).toBe('ref_wrong')
  source.git('branch', 'v1')
  expect(await codeOf('v1')).toBe('ref_ambiguous')
})

test('a repository that is not there is none without commits', async () => {
  const missing = askSource(shopAt('/nonexistent/shop.git'), undefined, PARTS)

  await expect(missing).rejects.toThrow(ReleaseFailure)
  await expect(missing).rejects.toThrow("'/nonexistent/shop.git' does not appear to be a git repository")
  const empty = gitSource().folder
  await expect(askSource(shopAt(empty), undefined, PARTS)).rejects.toThrow(`${empty} has no commit yet.`)
  const gone = askSource(shopAt(empty, 'beef'), undefined, PARTS)
  await expect(gone).rejects.toThrow(`${empty} has no branch "beef".`)
})
