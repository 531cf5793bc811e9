import { expect, test } from 'vitest'

import { ferryman } from '../support/cli.ts'
import { gitSource } from '../support/git-source.ts'
import { serve } from '../support/journey.ts'

test('a commit says how it is deployed where the server lets it, and goes no further', async () => {
  const source = gitSource()
  const good = source.commit({
    '.ferryman.yml':
      "commands: [[sh, -c, 'echo built by $0', '{short_sha}']]\nenv: {STAGE: live, A_TOKEN: hunter2-and-3}\n",
  })
  const greedy = source.commit({ '.ferryman.yml': 'commands: [[echo, mine]]\ntimeout: 1m\n' })
  const served = await serve({
    prepare: ({ github }) =>
      github.addCommits('acme/shop', [
        { sha: good, message: 'Say it' },
        { sha: greedy, message: 'Say more' },
      ]),
    repositories: {
      'acme/shop': { workspace: { url: source.folder }, in_repository: ['commands', 'env'], timeout: '5m' },
    },
  })

  const plan = (sha: string) => ferryman(['plan', 'acme/shop', 'production', sha, '-c', served.configFile])
  const unknown = await plan(good)
  const first = await served.deploy({ ref: good })
  await served.status(first, 'success')
  const second = await served.deploy({ ref: greedy })
  const refused = await served.status(second, 'error')

  expect(await served.log(1)).toContain(`built by ${good.slice(0, 7)}\n`)
  expect(refused.body).toMatchObject({
    description: expect.stringContaining('.ferryman.yml:2:1 timeout: is for the configuration of the server'),
  })
  expect(await served.log(2)).not.toContain('$ echo')
  expect(unknown.out).toMatch(/before +check out .*\n +read \.ferryman\.yml of \w{7}, which may say instead/)
  const { out } = await plan(good)
  expect(out).toMatch(/ STAGE=live\n/)
  expect(out).toMatch(/ A_TOKEN=•••\n/)
  expect(out).toMatch(
    new RegExp(`read \\.ferryman\\.yml of \\w{7}\n +work +sh -c 'echo built by \\$0' ${good.slice(0, 7)}\n`),
  )
  expect(await plan(greedy)).toMatchObject({
    code: 1,
    out: expect.stringContaining('.ferryman.yml:2:1 timeout: is for the configuration of the server'),
  })
})
