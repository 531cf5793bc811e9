import { expect, test } from 'vitest'

import { canMove, isFinal, MOVES, type State } from '../../src/deployment/state.ts'

const STATES = Object.keys(MOVES) as State[]

test('a final state is never left', () => {
  const left = STATES.filter(isFinal).flatMap((from) => STATES.filter((to) => canMove(from, to)))

  expect(STATES.filter(isFinal)).toEqual(['succeeded', 'failed', 'cancelled'])
  expect(left).toEqual([])
})

test('every state can be reached from queued, and an end can be reached from every state', () => {
  const reach = (from: State, seen = new Set<State>()): Set<State> => {
    if (seen.has(from)) return seen
    seen.add(from)
    for (const to of MOVES[from]) reach(to, seen)
    return seen
  }

  expect([...reach('queued')].toSorted()).toEqual([...STATES].toSorted())
  for (const state of STATES) expect([...reach(state)].some(isFinal)).toBe(true)
})

test('only what runs goes back into the line, since a hook says that its work may not begin yet', () => {
  expect(STATES.filter((state) => canMove(state, 'queued'))).toEqual(['running'])
})
