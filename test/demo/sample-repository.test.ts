import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect, onTestFinished, test } from 'vitest'

import { createSampleRepository } from '../../src/demo/sample-repository.ts'

async function sample() {
  const directory = mkdtempSync(join(tmpdir(), 'ferryman-sample-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return createSampleRepository(directory)
}

const git = (folder: string, ...args: readonly string[]): string =>
  execFileSync('git', args, { cwd: folder, encoding: 'utf8' }).trim()

const deploy = (folder: string, sha: string) => {
  git(folder, 'checkout', '--quiet', '--detach', sha)
  return spawnSync(join(folder, 'deploy.sh'), { cwd: folder, encoding: 'utf8' })
}

test('the history is the same every time', async () => {
  const [one, two] = [await sample(), await sample()]

  expect(one.commits).toEqual(two.commits)
  expect(one.commits.length).toBeGreaterThan(3)
  expect(git(one.origin, 'log', '--format=%H %an <%ae>', 'main').split('\n').toReversed()).toEqual(
    one.commits.map(({ sha, author }) => `${sha} ${author.name} <${author.email}>`),
  )
})

test('the clone stands at the first commit and can be pulled forward', async () => {
  const { folder, commits, working } = await sample()

  expect(git(folder, 'rev-parse', 'HEAD')).toBe(commits[0]?.sha)
  expect(git(folder, 'status', '--porcelain')).toBe('')
  git(folder, 'pull', '--quiet', 'origin', 'main')
  expect(git(folder, 'rev-parse', 'HEAD')).toBe(working.sha)
})

test('deploy.sh works in colours, and leaves nothing for git to see', async () => {
  const { folder, commits, broken } = await sample()

  for (const { sha } of commits.filter((commit) => commit !== broken)) {
    const { status, stdout, stderr } = deploy(folder, sha)

    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toContain(`Building the shop at ${sha.slice(0, 7)}`)
    expect(stdout).toContain('\u001B[32m✓ The shop is open\u001B[0m')
    expect(git(folder, 'status', '--porcelain')).toBe('')
  }
})

test('in one commit deploy.sh fails with an error', async () => {
  const { folder, broken } = await sample()

  const { status, stderr } = deploy(folder, broken.sha)

  expect(status).toBe(1)
  expect(stderr).toContain('ERROR:  relation "vouchers" does not exist')
})

test('another commit can be pushed', async () => {
  const { folder, push } = await sample()

  const { sha } = await push({ message: 'Sell cake', files: { 'cake/index.html': '<p>Cake.\n' } })
  git(folder, 'fetch', '--quiet')

  expect(git(folder, 'rev-parse', 'origin/main')).toBe(sha)
})
