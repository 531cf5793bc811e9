import { expect, test } from 'vitest'

import { why } from '../../src/decide/why.ts'
import { openLooks } from '../support/looking.ts'
import { newDeployment } from '../support/samples.ts'

const HELD = { reason: 'locked', detail: 'a release', since: 1_000, until: undefined } as const

test('what has waited for longer and was deployed after a newer one is told as what is there', async () => {
  const { store, environment, sha, take, claim, succeed } = await openLooks()
  const held = await take(newDeployment({ sha, hold: HELD }))
  const newer = await take(newDeployment({ sha }))
  await claim(2_000)
  await succeed(newer.id, 3_000)
  await store.release(held.id, { at: 4_000, reports: () => [] })
  await claim(4_000)
  await succeed(held.id, 5_000)

  const { answer } = why({
    environment,
    situation: await store.situation({ ...held, lane: environment.lane }),
    gates: await store.gateFacts(held, { after: undefined, approval: false, at: 5_000 }),
    subject: undefined,
    maxConcurrent: 1,
    stopped: undefined,
  })

  expect(answer).toBe(
    `Nothing waits. #2 (${sha.slice(0, 7)}) has been deployed, and nothing newer has been heard of. #1 (${sha.slice(0, 7)}) has been deployed since.`,
  )
})
