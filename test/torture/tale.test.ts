import { expect, test } from 'vitest'

import type { Told } from '../../torture/cycle.ts'
import { createTale } from '../../torture/tale.ts'

/** What a cycle came to in whose world so much has been acknowledged until then. */
const told = (acknowledged: number, changed: Partial<Told> = {}): Told => ({
  kills: 1,
  losses: 2,
  violations: [],
  seen: {
    sent: Array.from({ length: acknowledged }, (_, guid) => ({ guid: String(guid), status: 202 })),
    records: { deployments: [] },
  } as unknown as Told['seen'],
  ...changed,
})

function begun() {
  const interrupted = new AbortController()
  const said: string[] = []
  const given = { cycles: 4, seed: '7', signal: interrupted.signal }
  return { interrupted, said, tale: createTale(given, { progress: (text) => void said.push(text) }) }
}

test('what was seen of a world counts from its beginning, and worlds add up', () => {
  const { tale, said } = begun()

  tale.begins(1)
  tale.ended({ cycle: 1, first: 1, directory: '/one' }, told(3))
  tale.ended({ cycle: 2, first: 1, directory: '/one' }, told(5))
  tale.ended({ cycle: 11, first: 11, directory: '/two' }, told(4))
  tale.begins(12)

  expect(tale.summary()).toMatchObject({ done: 3, acknowledged: 9, kills: 3, losses: 6, broken: undefined })
  expect(tale.isOver()).toBe(false)
  expect(said).toEqual([
    'cycle 1 begins, seed 7: 0 of 4 done, 0 kills so far',
    'cycle 12 begins, seed 7: 3 of 4 done, 3 kills so far',
  ])
})

test('the first world in which something breaks ends it, and is the one that is told', async () => {
  const { tale } = begun()
  const violations = [{ invariant: 'a promise', what: 'was broken' }]

  tale.ended({ cycle: 12, first: 11, directory: '/two' }, told(1, { violations }))
  tale.ended(
    { cycle: 3, first: 1, directory: '/one' },
    told(9, { violations: [...violations, ...violations] }),
  )

  await tale.over
  expect(tale.summary()).toMatchObject({
    done: 1,
    violations,
    broken: { keptIn: '/two', from: 11, cycles: 2 },
  })
})

test('whoever interrupts it ends it', async () => {
  const { tale, interrupted } = begun()

  interrupted.abort()

  await tale.over
  expect(tale.isOver()).toBe(true)
  expect(tale.summary()).toMatchObject({ done: 0, violations: [], broken: undefined })
})
