import { expect, test } from 'vitest'
import fc from 'fast-check'

import { createGitHubPace, type Creation } from '../src/github/pace.ts'
import { createPace } from '../src/pace.ts'
import { mostWithin } from './support/moments.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

test('a burst goes at once, and the next waits until the first has left the window', () => {
  const pace = createPace({ any: [{ most: 2, ms: 1_000 }] })
  for (const at of [0, 100]) pace.begin('any', at).end(at)

  expect([pace.waitMs('any', 100), pace.room('any', 100)]).toEqual([900, 0])
  expect([pace.waitMs('any', 1_000), pace.room('any', 1_000)]).toEqual([0, 1])
})

test('what is under way counts until its time is over after its end', () => {
  const pace = createPace({ any: [{ most: 1, ms: 1_000 }] })
  const turn = pace.begin('any', 0)

  expect(pace.waitMs('any', 5_000)).toBe(1_000)
  turn.end(6_000)
  expect(pace.waitMs('any', 6_500)).toBe(500)
  expect(pace.waitMs('any', 7_000)).toBe(0)
})

test('what came to nothing does not count', () => {
  const pace = createPace({ any: [{ most: 1, ms: 1_000 }] })

  pace.begin('any', 0).takeBack()

  expect(pace.waitMs('any', 0)).toBe(0)
})

test('a clock that was set back blocks nothing for longer than a window', () => {
  const pace = createPace({ any: [{ most: 1, ms: 1_000 }] })
  pace.begin('any', HOUR).end(HOUR)

  expect(pace.waitMs('any', 0)).toBe(1_000)
  expect(pace.waitMs('any', 1_000)).toBe(0)
})

test('after a burst the next go one by one, and a pause earns a burst again', () => {
  const pace = createPace({ any: [{ most: 3, eachMs: 1_000 }] })
  for (let count = 0; count < 3; count += 1) pace.begin('any', 0).end(0)

  expect([pace.room('any', 0), pace.waitMs('any', 0)]).toEqual([0, 1_000])
  expect([pace.room('any', 1_000), pace.waitMs('any', 1_000)]).toEqual([1, 0])
  pace.begin('any', 1_000).end(1_000)
  expect(pace.waitMs('any', 1_500)).toBe(500)
  expect(pace.room('any', 10_000)).toBe(3)
})

/** Asks for nothing but that, every second for hours; answers how much there was of it in the last hour. */
function useUp(kind: Creation) {
  const pace = createGitHubPace(480)
  let [inLastHour, longestWait] = [0, 0]
  for (let at = 0; at < 3 * HOUR; at += 1_000) {
    const waitMs = pace.waitMs(kind, at)
    longestWait = Math.max(longestWait, waitMs)
    at += Math.ceil(waitMs / 1_000) * 1_000
    pace.begin(kind, at).end(at)
    if (at >= 2 * HOUR) inLastHour += 1
  }
  return { pace, inLastHour, longestWait }
}

test('whatever is sent all the time, ends and deployments keep their share', () => {
  const room = (pace: ReturnType<typeof useUp>['pace']) =>
    (['progress', 'final', 'deployment'] as const).map((kind) => pace.room(kind, 3 * HOUR - 1))

  expect(room(useUp('progress').pace)).toEqual([0, 40, 53])
  expect(room(useUp('final').pace)).toEqual([0, 0, 53])
  expect(room(useUp('deployment').pace)).toEqual([39, 59, 0])
})

test('when many ends have been told, the next waits no longer than a minute', () => {
  expect(useUp('final')).toMatchObject({ inLastHour: 361 })
  expect(useUp('final').longestWait).toBeLessThanOrEqual(MINUTE)
})

test('whoever asks for what and when, GitHub sees no more than it takes', () => {
  const wishes = fc.array(
    fc.record({
      kind: fc.constantFrom<Creation>('progress', 'final', 'deployment'),
      afterMs: fc.integer({ min: 0, max: 20_000 }),
      tookMs: fc.integer({ min: 0, max: 15_000 }),
    }),
    { minLength: 300, maxLength: 700 },
  )
  fc.assert(
    fc.property(wishes, (all) => {
      const pace = createGitHubPace(480)
      const seen: number[] = []
      const underWay: { endsAt: number; end(at: number): void }[] = []
      let now = 0
      for (const { kind, afterMs, tookMs } of all) {
        now += afterMs
        for (const one of underWay) if (one.endsAt <= now) one.end(one.endsAt)
        if (pace.waitMs(kind, now) > 0) continue
        const { end } = pace.begin(kind, now)
        underWay.push({ endsAt: now + tookMs, end })
        seen.push(now + tookMs / 2)
      }
      expect(mostWithin(seen, MINUTE)).toBeLessThanOrEqual(60)
      expect(mostWithin(seen, HOUR)).toBeLessThanOrEqual(480)
    }),
    { numRuns: 10 },
  )
})
