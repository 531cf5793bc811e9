import { execFileSync } from 'node:child_process'

import { expect, test } from 'vitest'

import { createSampleRepository } from '../../src/demo/sample-repository.ts'
import { serve } from '../support/journey.ts'
import { temporaryFolder } from '../support/running.ts'

const CHECKOUT = [
  ['git', 'fetch', '--quiet', 'origin'],
  ['git', 'checkout', '--quiet', '--detach', '{sha}'],
]

test('the commit of the acceptance is deployed and named everywhere, although the branch has moved on', async () => {
  const sample = await createSampleRepository(temporaryFolder())
  const world = await serve({
    commands: [
      ['sh', '-c', 'until test -e go; do sleep 0.02; done'],
      ...CHECKOUT,
      ['sh', '-c', 'echo "sha $GITHUB_SHA $FERRYMAN_SHA previous $FERRYMAN_PREVIOUS_SHA"'],
    ],
    entry: { folder: sample.folder },
  })
  world.github.addCommits('acme/shop', sample.commits)

  const asked = await world.deploy()
  await world.status(asked, 'in_progress')
  const newer = await sample.push({ message: 'Newer', files: { 'index.html': 'newer' } })
  world.github.addCommits('acme/shop', [newer])
  execFileSync('touch', [`${sample.folder}/go`])
  await world.status(asked, 'success')

  const sha = sample.working.sha
  expect(headOf(sample.folder)).toBe(sha)
  expect(await world.log(1)).toContain(`sha ${sha} ${sha} previous \n`)
  expect(world.statuses(asked).at(-1)).toContain(`Deployed ${sha.slice(0, 7)}, in `)
  await world.status(await world.deploy(), 'success')
  expect(await world.log(2)).toContain(`previous ${sha}\n`)
  expect(headOf(sample.folder)).toBe(newer.sha)
})

test('where the commands put another commit in place, status, message and log name the one that is there', async () => {
  const sample = await createSampleRepository(temporaryFolder())
  const world = await serve({
    commands: [['git', 'pull', '--quiet', 'origin', 'main']],
    entry: { folder: sample.folder },
  })
  const first = sample.commits[1]
  world.github.addCommits('acme/shop', sample.commits.slice(0, 2))

  const deployment = await world.deploy()
  await world.status(deployment, 'success')

  const [there, asked] = [sample.working.sha.slice(0, 7), first?.sha.slice(0, 7) ?? '']
  expect(world.statuses(deployment).at(-1)).toContain(`Deployed ${there}, asked for ${asked}, in `)
  await world.slack.waitFor(({ text }) => text?.includes(`Deployed ${there}, asked for ${asked}`) ?? false)
  expect(await world.log(1)).toContain(`The folder is now at ${there}, asked for ${asked}.`)
  await world.status(await world.deploy(), 'success')
  expect(headOf(sample.folder)).toBe(sample.working.sha)
})

test('a tag and a branch of one name lead to the commit that GitHub pinned', async () => {
  const sample = await createSampleRepository(temporaryFolder())
  const world = await serve({ commands: CHECKOUT, entry: { folder: sample.folder } })
  world.github.addCommits('acme/shop', sample.commits)
  const [oldest] = sample.commits
  world.github.setTag('acme/shop', 'main', oldest?.sha ?? '')

  const deployment = await world.deploy({ ref: 'main' })
  await world.status(deployment, 'success')

  expect(headOf(sample.folder)).toBe(oldest?.sha)
})

const headOf = (folder: string): string =>
  execFileSync('git', ['rev-parse', 'HEAD'], { cwd: folder, encoding: 'utf8' }).trim()
