import { expect, test } from 'vitest'

import type { HookDelivery } from '../../src/demo/github/state.ts'
import { leftToServer, lostDeliveries } from '../../torture/lost.ts'
import type { World } from '../../torture/world.ts'

const HOOK = 7

/** A server that first took connections ten seconds ago and was started again two seconds ago. */
function worldOf(
  ...given: readonly (Partial<HookDelivery> & { readonly status?: number; readonly ago?: number })[]
) {
  const deliveries = given.map(({ status = 0, ago = 5, ...one }) => ({
    guid: 'a',
    event: 'deployment',
    action: 'created',
    at: Date.now() - ago * 1_000,
    answer: { status },
    ...one,
  }))
  const now = performance.now()
  return {
    github: { deliveries },
    repositories: [{ hooks: [{ id: HOOK, deliveries }] }],
    times: { begun: now - 2_000, stopAsked: 0, firstSeen: now - 10_000 },
  } as unknown as World
}

const left = (world: World, records = { hooks: [HOOK], asked: [] as string[] }): string[] =>
  leftToServer(world, records).deliveries.map(({ guid }) => guid)

test('lost is what no attempt brought over, but for what was forged', () => {
  const world = worldOf(
    { guid: 'a', status: 503 },
    { guid: 'b', status: 0 },
    { guid: 'b', status: 202 },
    { guid: 'c', status: 401 },
  )

  expect(lostDeliveries(world).map(({ guid }) => guid)).toEqual(['a'])
})

test('a deployment is left to the server when it was made between its first start and the second of its last', () => {
  const world = worldOf({ guid: 'old', ago: 11 }, { guid: 'a' }, { guid: 'late', ago: 0 })

  expect(left(world)).toEqual(['a'])
})

test.each([
  ['a push', { event: 'push', action: null }, ['a']],
  ['a merge', { event: 'pull_request', action: 'closed' }, ['a']],
  ['a pull request that is opened', { event: 'pull_request', action: 'opened' }, []],
  ['a check', { event: 'status', action: null }, []],
] as const)('of %s that was lost the server asks for what deploys', (_, delivery, expected) => {
  expect(left(worldOf(delivery))).toEqual(expected)
})

test('a push is not left to a server that has not heard of its hook, or has asked for it before', () => {
  const push = worldOf({ event: 'push', action: null })

  expect(left(push, { hooks: [], asked: [] })).toEqual([])
  expect(left(push, { hooks: [HOOK], asked: ['a'] })).toEqual([])
})

test('a push is fetched when GitHub has brought it over', () => {
  const [before, after] = [worldOf({ event: 'push', action: null }), { hooks: [HOOK], asked: [] }]
  const { isFetched } = leftToServer(before, after)

  expect(isFetched()).toBe(false)
  ;(before.github.deliveries as HookDelivery[]).push(
    ...worldOf({ event: 'push', action: null, status: 200 }).github.deliveries,
  )
  expect(isFetched()).toBe(true)
})
