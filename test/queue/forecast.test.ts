import { describe, expect, test } from 'vitest'

import type { Deployment } from '../../src/deployment/deployment.ts'
import { forecast } from '../../src/queue/forecast.ts'
import { deployment } from '../support/samples.ts'

const NOW = 1_000_000
const one = (id: number, lane: string, startedAt?: number): Deployment =>
  deployment({ id, lane, ...(startedAt === undefined ? {} : { state: 'running', startedAt }) })
const told = (given: Partial<Parameters<typeof forecast>[0]>) =>
  Object.fromEntries(
    forecast({ active: [], ready: [], maxConcurrent: 1, averageMs: () => 60_000, now: NOW, ...given }),
  )

describe('what waits for its turn', () => {
  test('begins when what runs has taken as long as it did lately', () => {
    expect(told({ active: [one(1, 'a', NOW - 20_000)], ready: [one(2, 'a'), one(3, 'a')] })).toEqual({
      2: { position: 1, startsAt: NOW + 40_000 },
      3: { position: 2, startsAt: NOW + 100_000 },
    })
  })

  test('waits for what takes longer than it did lately, from now on', () => {
    expect(told({ active: [one(1, 'a', NOW - 90_000)], ready: [one(2, 'a')] })).toEqual({
      2: { position: 1, startsAt: NOW },
    })
  })

  test('goes side by side in other lanes, as many as may run at the same time', () => {
    const ready = [one(2, 'a'), one(3, 'b'), one(4, 'c')]

    expect(told({ active: [one(1, 'a', NOW)], ready, maxConcurrent: 2 })).toEqual({
      3: { position: 1, startsAt: NOW },
      2: { position: 1, startsAt: NOW + 60_000 },
      4: { position: 1, startsAt: NOW + 60_000 },
    })
  })

  test('has its place but no time where nobody knows how long another one takes', () => {
    const averageMs = ({ lane }: Deployment) => (lane === 'new' ? undefined : 60_000)

    expect(told({ active: [one(1, 'new', NOW)], ready: [one(2, 'new'), one(3, 'a')], averageMs })).toEqual({
      2: { position: 1, startsAt: undefined },
      3: { position: 1, startsAt: undefined },
    })
  })
})
