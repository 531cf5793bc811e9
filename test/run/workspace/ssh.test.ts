import { writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'

import { describe, expect, inject, test } from 'vitest'

import { IN_WORKSPACE } from '../../../src/deployment/recipe.ts'
import { gitSource } from '../../support/git-source.ts'
import { startMachines } from '../../support/machines.ts'
import { runFor, temporaryFolder } from '../../support/running.ts'
import { recipe } from '../../support/samples.ts'

describe.skipIf(inject('sshd') === undefined)('a checkout over ssh', () => {
  test('is opened by a key in a file, which is for commands as well, and only from a host that is known', async () => {
    const there = await startMachines('code')
    const source = gitSource()
    const sha = source.commit({ file: 'over ssh\n' })
    const url = `ssh://${userInfo().username}@127.0.0.1:${there.machines[0]?.port}${source.folder}`
    const deploy = (knownHostsFile: string, given: { submodules?: boolean; sha?: string } = {}) =>
      runFor({
        commands: [],
        deployment: {
          sha: given.sha ?? sha,
          recipe: recipe({
            folder: IN_WORKSPACE,
            workspace: {
              url,
              submodules: given.submodules === true,
              lfs: false,
              sshKeyFile: there.key,
              knownHostsFile,
            },
            commands: [
              ['cat', 'file'],
              ['git', 'ls-remote', 'origin', 'HEAD'],
            ],
          }),
        },
      })
    const nobody = join(temporaryFolder(), 'known hosts')
    writeFileSync(nobody, '')

    const known = await deploy(there.knownHosts)
    const unknown = await deploy(nobody)
    source.git('submodule', '--quiet', 'add', source.folder, 'itself')
    const local = await deploy(there.knownHosts, { submodules: true, sha: source.commit({}) })

    expect(known.log).toContain('\nover ssh\n')
    expect(known.log).toContain(`${sha}\tHEAD`)
    expect(known.result.state).toBe('succeeded')
    expect(unknown.result).toMatchObject({ state: 'failed', reason: 'source_unavailable' })
    expect('detail' in unknown.result && unknown.result.detail).toContain('Host key verification failed')
    expect(local.result).toMatchObject({ state: 'failed', reason: 'source_unavailable' })
    expect(local.log).toContain("transport 'file' not allowed")
  })
})
