import { expect, test } from 'vitest'

import { createChance } from '../../torture/chance.ts'
import { FAULTS, needs } from '../../torture/fault-kinds.ts'
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
  expect(seen(faults.map(({ what }) => what))).toEqual(Object.keys(FAULTS).toSorted())
  expect(seen(plans.map(({ word }) => word))).toEqual(['SIGHUP', 'outbox send'])
  expect(seen(plans.map(({ leavesLost }) => leavesLost))).toEqual(['false', 'true'])
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

test('the last life meets nothing that only another token helps against, nor lasting refusals beside that', () => {
  const plans = Array.from({ length: 300 }, (_, cycle) => plan(`last/${cycle}`))

  const lasting = plans.filter(({ faults }) => needs('another token', faults))
  expect(lasting).not.toEqual([])
  expect(plans.filter(({ faultsAtLast }) => needs('another token', faultsAtLast))).toEqual([])
  expect(lasting.filter(({ faultsAtLast }) => needs('sending again', faultsAtLast))).toEqual([])
})
