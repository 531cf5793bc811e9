import { expect, test } from 'vitest'

import { createWorld, serve, TOKEN, type Served, type World } from '../support/journey.ts'
import { ferryman } from '../support/cli.ts'
import { eventually } from '../support/running.ts'

const COMMIT = /\/repos\/acme\/shop\/statuses\//
const entry = { commit_status: true }

const mayWrite = ({ github }: World): void =>
  github.addToken(TOKEN, { login: 'ferryman-robot', type: 'classic', scopes: ['repo'] })

/** What the commit was told, oldest first. */
const said = ({ repository }: Served): string[] =>
  repository.commitStatuses.map(({ context, state, description }) => `${context} ${state}: ${description}`)

const isSaid = (world: Served, state: string): Promise<unknown> =>
  eventually(`the commit is told ${state}`, () => world.repository.commitStatuses.at(-1)?.state === state)

test('it is pending, and then a success, with a link to the log', async () => {
  const world = await serve({ entry, prepare: mayWrite })

  await world.status(await world.deploy(), 'success')
  await isSaid(world, 'success')

  expect(said(world).at(-1)).toMatch(/^ferryman\/production success: Deployed [0-9a-f]{7}, in .*#1\)$/)
  expect(new Set(world.repository.commitStatuses.map(({ sha }) => sha))).toEqual(new Set([world.sha]))
  expect(world.repository.commitStatuses.at(-1)?.targetUrl).toContain('/deployments/1/log')
})

test('it is a failure where something ran and failed, and nothing where the task is unknown', async () => {
  const world = await serve({ entry, commands: [['false']], prepare: mayWrite })

  await world.status(await world.deploy({ task: 'unknown' }), 'error')
  await world.status(await world.deploy(), 'failure')
  await isSaid(world, 'failure')

  expect(said(world).filter((text) => text.includes('Unknown task'))).toEqual([])
})

test('one whose answer was lost is not written twice', async () => {
  const world = await serve({ entry, prepare: mayWrite })
  world.github.fail({ method: 'POST', path: COMMIT, times: 1, with: 'reset-after-applying' })

  await world.status(await world.deploy(), 'success')
  await isSaid(world, 'success')
  await world.stop()

  expect(said(world).length).toBe(new Set(said(world)).size)
})

test('without it nothing is written, and without the right the deployment is told all the same', async () => {
  const without = await serve({ prepare: mayWrite })
  await without.status(await without.deploy(), 'success')
  await without.stop()
  expect(said(without)).toEqual([])

  const world = await serve({ entry })
  await world.status(await world.deploy(), 'success')
  await world.waitForJournal((line) => line.includes('"report:postponed"') && line.includes('github-commit'))
  expect(said(world)).toEqual([])
})

test('check says that a classic token may not write it', async () => {
  const world = await createWorld({ entry })

  const { out, code } = await ferryman(['check', '-c', world.configFile])

  expect(out).toContain(
    '✘ GitHub: the token may not write commit statuses for acme/shop (scopes: repo_deployment)',
  )
  expect(code).toBe(1)
})
