import fc from 'fast-check'
import { describe, inject, test } from 'vitest'

import { agree, commands, tellDeployment } from './commands.ts'
import { DAY, HOUR, isMidday, SHOP } from './model.ts'
import { assertNone, assertPromises, leftInFreeLane, ofTheEnd } from './promises.ts'
import { openWorld, type Engine, type World } from './world.ts'

const RUNS = Number(process.env['FERRYMAN_MODEL_RUNS'] ?? 0)
/** The same steps in every run of the suite; others where somebody looks for longer. */
const SEED = process.env['FERRYMAN_MODEL_SEED'] ?? (RUNS > 0 ? undefined : '2611')
const STEPS = 60

const ENGINES = [
  { engine: 'sqlite', missing: false, numRuns: RUNS || 40 },
  { engine: 'postgres', missing: inject('postgres') === undefined, numRuns: Math.ceil(RUNS / 10) || 4 },
] as const

/**
 * One active deployment per lane, nothing started twice, exactly that commit, a reason for every "no": whatever happens
 * in whichever order, crashes included. FERRYMAN_MODEL_RUNS makes it look for longer, FERRYMAN_MODEL_SEED at the same.
 */
describe.each(ENGINES)('the lanes on $engine', ({ engine, missing, numRuns }) => {
  test.skipIf(missing)(
    'keep their promises whatever happens to them, and come to rest with all of it explained',
    { timeout: 120_000 + numRuns * 3_000 },
    async () => {
      const property = fc.asyncProperty(
        fc.commands([commands], { maxCommands: STEPS, size: 'max' }),
        async (steps) => {
          const world = await openWorld(engine satisfies Engine)
          try {
            await fc.asyncModelRun(() => ({ model: world.model, real: world }), steps)
            await comeToRest(world)
          } finally {
            await world.close()
          }
        },
      )
      await fc.assert(property, {
        numRuns,
        interruptAfterTimeLimit: 30_000 + numRuns * 2_000, // the search for a shorter failure included
        ...(SEED === undefined ? {} : { seed: Number(SEED) }),
      })
    },
  )
})

/**
 * No lock, no check that is pending, an open window, everybody agrees, and GitHub answers and tells of everything: what is there goes
 * on until nothing moves. What staging never has is waited for in vain.
 */
async function comeToRest(world: World): Promise<void> {
  const { model, github, published } = world
  world.life.death.dieAt(undefined)
  github.mend()
  for (const { id } of model.locks) await world.life.store.locks.free(id)
  model.locks = []
  for (const sha of model.commits)
    if (model.checks.get(sha) !== 'failure') {
      github.addCommitStatus(SHOP, sha, { context: 'ci/test', state: 'success' })
      model.checks.set(sha, 'success')
    }
  for (let round = 0; round < 40; round += 1) {
    await world.act(() => world.life.look())
    if (round === 0) for (const index of published.keys()) await tellDeployment(world, index)
    await world.act(() => world.life.claim())
    assertNone(leftInFreeLane(await world.rows()), await world.rows())
    for (const id of world.life.running.keys()) {
      model.ends.set(id, 'well')
      await world.act(() => world.life.end(id, 'well'))
    }
    await assertPromises(world)
    const open = model.seen.filter(({ state }) => ['queued', 'running', 'cancelling'].includes(state))
    if (open.length === 0) break
    for (const index of open.keys()) await world.act(() => agree(world, 'carol', index))
    const isInVain = open.every(({ hold }) => hold?.reason === 'earlier_environment')
    model.now += isInVain ? 31 * DAY : isMidday(model.now) ? 6 * HOUR : 10_000
  }
  assertNone(ofTheEnd(model.seen, model, published), model.seen)
}
