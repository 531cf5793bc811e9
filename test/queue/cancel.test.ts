import { randomUUID } from 'node:crypto'
import { join } from 'node:path'

import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'

import type { Deployment } from '../../src/deployment/deployment.ts'
import { cancel, type CancelParts, type Wish } from '../../src/queue/cancel.ts'
import { startWorker, type Ending, type Interruption, type Worker } from '../../src/queue/worker.ts'
import { openStore } from '../../src/store/sql-store.ts'
import type { Store } from '../../src/store/store.ts'
import { eventually, temporaryFolder } from '../support/running.ts'
import { newDeployment, newMerge, queuedIntake } from '../support/samples.ts'
import { OPEN } from '../support/claiming.ts'

const MONA: Wish = { by: 'mona', why: 'wrong branch' }
const SAID = 'Cancelled by mona: wrong branch'
const reports = ({ state }: Deployment) => [{ channel: 'github', body: { state } }]
const journal = { info() {}, warn() {}, error() {} }

/** A lane of its own for each, with runs that end when they are told to. */
async function openLanes(
  change: (store: Store) => Store = (store) => store,
  isLeft: (id: number) => boolean = () => false,
) {
  const file = await openStore(join(temporaryFolder(), 'ferryman.sqlite'))
  const store = change(file)
  const begun: number[] = []
  const endings = new Map<number, (ending: Ending) => void>()
  let discarded = 0
  const worker = startWorker({
    store,
    limit: () => 100,
    reports,
    gate: OPEN,
    isLeft,
    held() {},
    prepare: () => ({
      process: { runId: randomUUID(), group: 4_711, bootId: 'this', startTicks: '1' },
      giveBack() {},
      discard: () => void (discarded += 1),
      run(deployment, { end: signal }) {
        begun.push(deployment.id)
        return new Promise((resolve) => {
          const stop = (): void => {
            const { kind, detail } = signal.reason as Interruption
            resolve(
              kind === 'by_person'
                ? { state: 'cancelled', reason: kind, detail, reports }
                : { state: 'failed', reason: kind, detail, reports },
            )
          }
          endings.set(deployment.id, resolve)
          if (signal.aborted) stop()
          else signal.addEventListener('abort', stop)
        })
      },
    }),
    clock: Date.now,
    journal,
    mask: (text) => text,
    moved() {},
  })
  onTestFinished(async () => {
    await worker.stop(0)
    await file.close()
  })
  const queue = async (given: Parameters<typeof newDeployment>[0] = {}): Promise<number> => {
    const [accepted] = await store.accept([queuedIntake(newDeployment(given))])
    worker.wake()
    return accepted?.deployments[0]?.id ?? 0
  }
  const end = (id: number, ending: Ending): void => endings.get(id)?.(ending)
  return { store, worker, begun, queue, end, discarded: () => discarded }
}

const partsFor = (store: Store, worker: Worker, given: Partial<CancelParts> = {}): CancelParts => ({
  store,
  interrupt: worker.interrupt,
  ended: async () => {},
  mask: (text) => text.replaceAll('hunter2', '***'),
  reports,
  clock: Date.now,
  journal,
  moved() {},
  ...given,
})

const stateOf = async (store: Store, id: number) => {
  const { state, reason, detail } = (await store.deployment(id)) ?? {}
  return { state, reason, detail }
}

const states = async (store: Store, id: number): Promise<unknown[]> =>
  (await store.outbox.of(id)).map(({ body }) => Reflect.get(Object(body), 'state'))

describe('a deployment that somebody cancels', () => {
  test('while it waits in line never begins, and what is behind it goes on', async () => {
    const { store, worker, begun, queue, end } = await openLanes()
    const [first, second, third] = [await queue(), await queue(), await queue()]
    await eventually('the first runs', () => begun.includes(first))

    const done = await cancel(second, MONA, partsFor(store, worker))
    end(first, { state: 'succeeded', reports })
    await eventually('the third runs', () => begun.includes(third))

    expect(done).toMatchObject({ outcome: 'cancelled', deployment: { id: second } })
    expect(await stateOf(store, second)).toEqual({ state: 'cancelled', reason: 'by_person', detail: SAID })
    expect(await states(store, second)).toEqual(['queued', 'cancelled'])
    expect(begun).not.toContain(second)
  })

  test('while it is held is cancelled at once, and GitHub is asked whether it had made it', async () => {
    const { store, worker } = await openLanes()
    const [accepted] = await store.accept([queuedIntake(newMerge())])
    const id = accepted?.deployments[0]?.id ?? 0
    const told: number[] = []

    const parts = partsFor(store, worker, { ended: async ({ id }) => void told.push(id) })
    const done = await cancel(id, { by: 'mona' }, parts)

    expect(done).toMatchObject({ outcome: 'cancelled' })
    expect(await stateOf(store, id)).toMatchObject({ state: 'cancelled', detail: 'Cancelled by mona' })
    expect(told).toEqual([id])
    expect(await store.asking(id)).toBe(false)
  })

  test('while it runs is being cancelled until its run has ended; only then the next one begins', async () => {
    let mayEnd = (): void => {}
    const gate = new Promise<void>((resolve) => (mayEnd = resolve))
    const { store, worker, begun, queue } = await openLanes((file) => ({
      ...file,
      async move(id, from, to, change) {
        if (to === 'cancelled') await gate
        return file.move(id, from, to, change)
      },
    }))
    const [first, second] = [await queue(), await queue()]
    await eventually('the first runs', () => begun.includes(first))

    const done = await cancel(first, MONA, partsFor(store, worker))
    const again = await cancel(first, { by: 'hubot', why: 'too late' }, partsFor(store, worker))
    const meanwhile = await stateOf(store, first)
    const begunMeanwhile = [...begun]
    mayEnd()
    await eventually('the second runs', () => begun.includes(second))

    expect([done.outcome, again.outcome]).toEqual(['cancelling', 'cancelling_already'])
    expect(meanwhile).toEqual({ state: 'cancelling', reason: 'by_person', detail: SAID })
    expect(begunMeanwhile).toEqual([first])
    expect(await stateOf(store, first)).toEqual({ state: 'cancelled', reason: 'by_person', detail: SAID })
    expect(await states(store, first)).toEqual(['queued', 'running', 'cancelling', 'cancelled'])
  })

  test('whose last command had ended before ends as that did', async () => {
    const { store, worker, begun, queue, end } = await openLanes()
    const id = await queue()
    await eventually('it runs', () => begun.includes(id))

    const parts = partsFor(store, worker, { interrupt: () => end(id, { state: 'succeeded', reports }) })
    const done = await cancel(id, MONA, parts)
    await eventually('it has ended', async () => (await stateOf(store, id)).state === 'succeeded')

    expect(done.outcome).toBe('cancelling')
    expect(await stateOf(store, id)).toEqual({ state: 'succeeded', reason: undefined, detail: undefined })
  })

  test('that has ended already is told so, and stays as it ended', async () => {
    const { store, worker, begun, queue, end } = await openLanes()
    const id = await queue()
    await eventually('it runs', () => begun.includes(id))
    end(id, { state: 'succeeded', reports })
    await eventually('it has ended', async () => (await stateOf(store, id)).state === 'succeeded')

    const done = await cancel(id, MONA, partsFor(store, worker))

    expect(done).toMatchObject({ outcome: 'ended_already', deployment: { state: 'succeeded' } })
    expect(await states(store, id)).toEqual(['queued', 'running', 'succeeded'])
  })

  test('that does not exist is unknown', async () => {
    const { store, worker } = await openLanes()

    expect(await cancel(4_711, MONA, partsFor(store, worker))).toEqual({ outcome: 'unknown' })
  })

  test('says who and why in one line, without secrets, and not at any length', async () => {
    const { store, worker, queue, begun } = await openLanes()
    const [first, second] = [await queue(), await queue()]
    await eventually('the first runs', () => begun.includes(first))

    await cancel(second, { by: 'mona\nforged', why: `hunter2 ${'x'.repeat(1_000)}` }, partsFor(store, worker))

    const { detail = '' } = await stateOf(store, second)
    expect(detail).toMatch(/^Cancelled by mona\\nforged: \*\*\* x+…$/)
    expect(detail.length).toBeLessThan(300)
  })

  test('while it runs is ended also when that cannot be written down, and is cancelled when it can', async () => {
    let isAway = true
    const { store, worker, begun, queue } = await openLanes((file) => ({
      ...file,
      move: (...given) => (isAway ? Promise.reject(new Error('disk full')) : file.move(...given)),
    }))
    const id = await queue()
    await eventually('it runs', () => begun.includes(id))

    const done = await cancel(id, MONA, partsFor(store, worker))
    const again = await cancel(id, { by: 'hubot' }, partsFor(store, worker))
    const meanwhile = await stateOf(store, id)
    isAway = false
    await eventually('it has ended', async () => (await stateOf(store, id)).state === 'cancelled')

    expect([done.outcome, again.outcome]).toEqual(['cancelling_unrecorded', 'cancelling_unrecorded'])
    expect(meanwhile.state).toBe('running')
    expect(await stateOf(store, id)).toEqual({ state: 'cancelled', reason: 'by_person', detail: SAID })
    expect(await states(store, id)).toEqual(['queued', 'running', 'cancelling', 'cancelled'])
  })

  test('while it waits is not cancelled when that cannot be written down', async () => {
    const { store, worker, begun, queue } = await openLanes()
    const [first, second] = [await queue(), await queue()]
    await eventually('the first runs', () => begun.includes(first))
    const away = { ...store, move: () => Promise.reject(new Error('away')) }

    await expect(cancel(second, MONA, partsFor(away, worker))).rejects.toThrow('away')

    expect(await stateOf(store, second)).toMatchObject({ state: 'queued' })
  })

  test('is cancelled once where the answer to that was lost', async () => {
    const { store, worker, begun, queue } = await openLanes()
    const id = await queue()
    await eventually('it runs', () => begun.includes(id))
    const losingMove: Store['move'] = async (...given) => {
      await store.move(...given)
      throw new Error('the connection was reset')
    }

    const done = await cancel(id, MONA, partsFor({ ...store, move: losingMove }, worker))
    await eventually('it has ended', async () => (await stateOf(store, id)).state === 'cancelled')

    expect(done.outcome).toBe('cancelling_unrecorded')
    expect(await stateOf(store, id)).toEqual({ state: 'cancelled', reason: 'by_person', detail: SAID })
    expect(await states(store, id)).toEqual(['queued', 'running', 'cancelling', 'cancelled'])
  })

  test('at any moment ends exactly once, and everybody is told the same', async () => {
    const { store, worker, queue, end } = await openLanes()
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(6), { minLength: 3, maxLength: 3 }), async ([queued, wait, ends]) => {
        const lane = `lane-${Math.random()}`
        const ticks = async (count = 0): Promise<void> => {
          for (let tick = 0; tick < count; tick += 1) await new Promise((resolve) => setImmediate(resolve))
        }
        const id = await queue({ lane })
        const finish = ticks(queued)
          .then(() => ticks(ends))
          .then(() => end(id, { state: 'succeeded', reports }))
        await ticks(wait)
        const done = await cancel(id, MONA, partsFor(store, worker))
        await finish
        end(id, { state: 'succeeded', reports })
        const isOver = async () => ['cancelled', 'succeeded'].includes((await stateOf(store, id)).state ?? '')
        await eventually('it is over', isOver)

        const { state } = await stateOf(store, id)
        const told = await states(store, id)
        expect(told.at(-1)).toBe(state)
        expect(told.filter((one) => one === 'cancelled' || one === 'succeeded')).toHaveLength(1)
        if (done.outcome === 'cancelled') expect(told).toEqual(['queued', 'cancelled'])
        if (done.outcome === 'cancelling') expect(told).toContain('cancelling')
        if (done.outcome === 'ended_already') expect(state).toBe('succeeded')
      }),
      { numRuns: 60 },
    )
  })
})

/** Loses the answer to the first claim that there is. */
const losing = (file: Store): Store => {
  let isLost = false
  return {
    ...file,
    async claim(options) {
      const claimed = await file.claim(options)
      if (isLost || claimed.deployment === undefined) return claimed
      isLost = true
      throw new Error('the connection was reset')
    },
  }
}

describe('a claim whose answer was lost', () => {
  test('is carried out, once', async () => {
    const { store, worker, begun, queue, end, discarded } = await openLanes(losing)
    const id = await queue()
    await eventually('it is claimed', async () => (await stateOf(store, id)).state === 'running')
    expect(discarded()).toBe(1) // what was written down with it begins nothing

    worker.wake()
    await eventually('it runs', () => begun.includes(id))
    worker.wake()
    end(id, { state: 'succeeded', reports })
    await eventually('it has ended', async () => (await stateOf(store, id)).state === 'succeeded')

    expect(begun).toEqual([id])
  })

  test('can be cancelled all the same', async () => {
    const { store, worker, queue } = await openLanes(losing)
    const id = await queue()
    await eventually('it is claimed', async () => (await stateOf(store, id)).state === 'running')

    await cancel(id, MONA, partsFor(store, worker))

    await eventually('it has ended', async () => (await stateOf(store, id)).state === 'cancelled')
    expect(await stateOf(store, id)).toEqual({ state: 'cancelled', reason: 'by_person', detail: SAID })
  })

  test('is not mixed up with what an earlier life of the server left', async () => {
    const { store, worker, begun, queue } = await openLanes(losing)
    const id = await queue()
    await eventually('it is claimed', async () => (await stateOf(store, id)).state === 'running')
    await store.recordProcess(id, { runId: 'ab', group: 1, bootId: 'another', startTicks: '1' })

    worker.wake()
    const other = await queue({ lane: 'another' })
    await eventually('the other one runs', () => begun.includes(other))

    expect(begun).toEqual([other])
  })

  test('nor with what of one is still to be ended, of which nothing was written down', async () => {
    const { store, worker, begun, queue } = await openLanes(losing, (id) => id === 1)
    const id = await queue()
    await eventually('it is claimed', async () => (await stateOf(store, id)).state === 'running')

    worker.wake()
    const other = await queue({ lane: 'another' })
    await eventually('the other one runs', () => begun.includes(other))

    expect(begun).toEqual([other])
  })
})

describe('while claims are looked for whose answers were lost', () => {
  test('what ends meanwhile is not begun once more', async () => {
    const looking = Promise.withResolvers<void>()
    const told = Promise.withResolvers<void>()
    let isLost = false
    const { store, worker, begun, queue, end } = await openLanes((file) => ({
      ...file,
      async claim(options) {
        const claimed = await file.claim(options)
        if (isLost || claimed.deployment?.number !== 2) return claimed
        isLost = true
        throw new Error('the connection was reset')
      },
      async inState(...states) {
        const found = await file.inState(...states)
        if (found.length < 2) return found
        looking.resolve()
        await told.promise
        return found
      },
    }))
    const first = await queue()
    await eventually('it runs', () => begun.includes(first))
    const second = await queue({ lane: 'another' })
    await eventually('it is claimed', async () => (await stateOf(store, second)).state === 'running')

    worker.wake()
    await looking.promise
    end(first, { state: 'succeeded', reports })
    await eventually('the first has ended', async () => (await stateOf(store, first)).state === 'succeeded')
    told.resolve()
    await eventually('the second runs', () => begun.includes(second))

    expect(begun).toEqual([first, second])
  })

  test('what was cancelled without our hearing of it runs nothing', async () => {
    const { store, worker, queue } = await openLanes(losing)
    const id = await queue()
    await eventually('it is claimed', async () => (await stateOf(store, id)).state === 'running')
    await store.move(id, 'running', 'cancelling', { reason: 'by_person', detail: SAID, at: 1, reports })

    worker.wake()

    await eventually('it has ended', async () => (await stateOf(store, id)).state === 'cancelled')
    expect(await stateOf(store, id)).toEqual({ state: 'cancelled', reason: 'by_person', detail: SAID })
  })
})

describe('deliveries that are recorded', () => {
  const acceptTo = (worker: Worker, given: Parameters<typeof newDeployment>[0] = {}) =>
    worker.accept([queuedIntake(newDeployment(given))])
  const acceptAndClaim = (store: Store) => {
    if (store.acceptAndClaim === undefined) throw new Error('claims stand alone')
    return store.acceptAndClaim
  }
  const idIn = ([accepted]: Awaited<ReturnType<typeof acceptTo>>): number => accepted?.deployments[0]?.id ?? 0

  test('have begun what may begin by the time they are answered, one in a lane, and once', async () => {
    const { store, worker, begun, end } = await openLanes()

    const [first, second] = [idIn(await acceptTo(worker)), idIn(await acceptTo(worker))]

    expect(begun).toEqual([first])
    expect(await stateOf(store, second)).toMatchObject({ state: 'queued' })
    worker.wake()
    end(first, { state: 'succeeded', reports })
    await eventually('the second runs', () => begun.includes(second))
    expect(begun).toEqual([first, second])
    expect(await states(store, first)).toEqual(['queued', 'running', 'succeeded'])
  })

  test('whose answer was lost are begun later, with another process', async () => {
    let isLost = false
    const { store, worker, begun, discarded } = await openLanes((file) => ({
      ...file,
      async acceptAndClaim(...given) {
        const answer = await acceptAndClaim(file)(...given)
        if (isLost) return answer
        isLost = true
        throw new Error('the connection was reset')
      },
    }))

    await expect(acceptTo(worker)).rejects.toThrow('reset')
    const [running] = await store.inState('running')
    worker.wake()
    await eventually('it runs', () => begun.length > 0)
    worker.wake()
    const other = idIn(await acceptTo(worker, { lane: 'another' }))
    await eventually('the other one runs', () => begun.includes(other))

    expect(discarded()).toBe(1)
    expect(begun).toEqual([running?.id, other])
  })

  test('are waited for by a stop, and what begins with them is interrupted', async () => {
    let mayGoOn = (): void => {}
    const gate = new Promise<void>((resolve) => (mayGoOn = resolve))
    const { store, worker } = await openLanes((file) => ({
      ...file,
      async acceptAndClaim(...given) {
        const answer = await acceptAndClaim(file)(...given)
        await gate
        return answer
      },
    }))
    const accepted = acceptTo(worker)
    await eventually('it is claimed', async () => (await store.inState('running')).length > 0)

    const stopped = worker.stop(0)
    mayGoOn()
    await stopped

    expect(await stateOf(store, idIn(await accepted))).toMatchObject({
      state: 'failed',
      reason: 'interrupted',
    })
  })
})
