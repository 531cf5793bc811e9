import { rmSync } from 'node:fs'
import { join } from 'node:path'

import { expect, inject, test } from 'vitest'

import { IN_WORKSPACE } from '../../../src/deployment/recipe.ts'
import { createMirrors } from '../../../src/run/workspace/mirrors.ts'
import { gitSource } from '../../support/git-source.ts'
import { runFor, temporaryFolder } from '../../support/running.ts'
import { recipe } from '../../support/samples.ts'

/** Deploys a commit of the source, in which a file may be large. */
function place() {
  const source = gitSource()
  const data = temporaryFolder()
  const checkouts = {
    mirrors: createMirrors(join(data, 'mirrors')),
    workspaces: join(data, 'workspaces'),
    githubUrl: () => 'https://github.com',
    readingToken: () => Promise.reject(new Error('GitHub is not asked.')),
  }
  const deploy = (sha: string, given: { lfs: boolean; path?: string }) =>
    runFor({
      commands: [],
      deployment: {
        sha,
        recipe: recipe({
          folder: IN_WORKSPACE,
          workspace: { url: `file://${source.folder}`, submodules: false, lfs: given.lfs },
          commands: [['cat', 'large.bin']],
          env: given.path === undefined ? {} : { PATH: { literal: given.path } },
        }),
      },
      parts: { checkouts },
    })
  return { source, deploy }
}

test.skipIf(!inject('gitLfs'))(
  'large files are fetched once where that is asked for, and pointers otherwise',
  async () => {
    const { source, deploy } = place()
    source.git('lfs', 'install', '--local')
    const sha = source.commit({
      '.gitattributes': '*.bin filter=lfs -text\n',
      'large.bin': 'what is large\n',
    })

    const pointers = await deploy(sha, { lfs: false })
    const first = await deploy(sha, { lfs: true })
    rmSync(join(source.folder, '.git/lfs'), { recursive: true })
    const second = await deploy(sha, { lfs: true })

    expect(pointers.log).toContain('\nversion https://git-lfs.github.com/spec/v1\n')
    expect(first.log).toContain('\nwhat is large\n')
    expect(second.log).toContain('\nwhat is large\n')
  },
)

test('where large files are asked for and git-lfs is not there, that is said before anything is fetched', async () => {
  const { source, deploy } = place()
  const sha = source.commit({ 'large.bin': 'small\n' })

  const { result, log } = await deploy(sha, { lfs: true, path: '/nowhere/bin:/usr/lib/git-core' })

  expect(result).toMatchObject({ state: 'failed', reason: 'command_not_found' })
  expect(log).toContain('Command not found: git-lfs, which `workspace.lfs` needs.')
  expect(log).not.toContain('$ git')
})
