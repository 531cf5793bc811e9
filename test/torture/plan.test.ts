import { expect, test } from 'vitest'

import { createChance } from '../../torture/chance.ts'
import { planCycle, type Plan } from '../../torture/plan.ts'

const DISK = { first: 40, later: 25 }
const plan = (seed: string): Plan => planCycle(createChance(seed), DISK)

test('the same seed plans the same, another something else', () => {
  expect(plan('7/1')).toEqual(plan('7/1'))
  expect(plan('7/2')).not.toEqual(plan('7/1'))
})

test('within two hundred cycles everything is tried that can be', () => {
  const plans = Array.from({ length: 200 }, (_, cycle) => plan(`7/${cycle}`))
  const endings = plans.flatMap((one) => one.endings)
  const seen = (all: readonly unknown[]): string[] => [...new Set(all.map(String))].toSorted()

  expect(seen(plans.map((one) => one.endings.length))).toEqual(['1', '2', '3'])
  expect(seen(endings.map(({ how }) => how))).toEqual(['kill', 'term', 'term, then int', 'term, then kill'])
  expect(seen(endings.map(({ at }) => at.kind))).toEqual(
    ['answering', 'asked', 'delivered', 'disk', 'done', 'end', 'event', 'start', 'time'].toSorted(),
  )
  const faults = plans.flatMap((one) => [...one.faults, ...one.faultsAtLast])
  expect(seen(faults.map(({ at }) => at))).toEqual(['github', 'slack'])
  expect(seen(faults.map(({ what }) => what))).toEqual(
    [
      'error 500',
      'page 502',
      'reset',
      'lost answer',
      'limit 403',
      'limit 429',
      'slow',
      'hang',
      'token 401',
      'forbidden 403',
      'gone 404',
      'wrong 422',
    ].toSorted(),
  )
  expect(seen(plans.flatMap(({ burst }) => burst.map(({ kind }) => kind)))).toEqual(
    ['cancel', 'check', 'cut', 'deploy', 'forgery', 'merge', 'ping', 'push'].toSorted(),
  )
  expect(seen(plans.map(({ isToldToSlack }) => isToldToSlack))).toEqual(['false', 'true'])
})

test('where nobody counts what the disk is asked, nobody waits for it', () => {
  const endings = Array.from({ length: 100 }, (_, cycle) =>
    planCycle(createChance(`7/${cycle}`), undefined),
  ).flatMap(({ endings: planned }) => planned)

  expect(endings.filter(({ at }) => at.kind === 'disk')).toEqual([])
})
