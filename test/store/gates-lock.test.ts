import pg from 'pg'
import { afterEach, beforeEach, describe, expect, inject, test, vi } from 'vitest'

import { createGate } from '../../src/decide/gates.ts'
import type { Deployment } from '../../src/deployment/deployment.ts'
import { openStore } from '../../src/store/sql-store.ts'
import type { NewDeployment, Store } from '../../src/store/store.ts'
import { environmentConfig, newDeployment, queuedIntake } from '../support/samples.ts'
import { emptyDatabase, type TestDatabase } from '../support/stores.ts'

const LOCK = { place: 'acme/shop', reason: 'a migration', by: 'ann', since: 1_500, until: undefined }
const DEMAND = { by: undefined, expiresSeconds: 60, allowsAuthor: false }
const nothing = () => []
const toGitHub = ({ state }: Deployment) => [{ channel: 'github', body: { state } }]

// SQLite has one writer: nothing comes between there, and nothing can be held up in the middle.
describe.skipIf(inject('postgres') === undefined)('a gate that closes while PostgreSQL claims', () => {
  let database: TestDatabase
  let store: Store
  let watching: pg.Client
  let stopping: pg.Client

  beforeEach(async () => {
    database = await emptyDatabase.postgres()
    store = await openStore(database.address)
    watching = new pg.Client({ connectionString: database.address })
    stopping = new pg.Client({ connectionString: database.address })
    await Promise.all([watching.connect(), stopping.connect()])
  })
  afterEach(async () => {
    await Promise.all([watching.end(), stopping.end()])
    await store.close()
    await database.drop()
  })

  const queue = async (given: Partial<NewDeployment> = {}): Promise<Deployment> => {
    const [accepted] = await store.accept([queuedIntake(newDeployment({ reports: nothing, ...given }))])
    const [deployment] = accepted?.deployments ?? []
    if (deployment === undefined) throw new Error('nothing was queued')
    return deployment
  }
  const gateOf = (given: Parameters<typeof environmentConfig>[0] = {}) =>
    createGate((one) => environmentConfig({ ...given, name: one.environment }))
  const claim = (given: Partial<Parameters<Store['claim']>[0]> = {}) =>
    store.claim({ limit: 9, at: 2_000, reports: nothing, gate: gateOf(), ...given })

  /** Whoever writes into the table from now on stands still in the middle of their transaction, until told to go on. */
  const holdUp = async (table: 'events' | 'reports'): Promise<() => Promise<unknown>> => {
    await stopping.query(`begin; lock table ${table} in share mode`)
    return () => stopping.query('commit')
  }
  const standStill = (many: number) =>
    vi.waitFor(
      async () => {
        const { rows } = await watching.query<{ many: number }>(
          `select count(*)::int as many from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock'`,
        )
        expect(rows[0]?.many).toBe(many)
      },
      { timeout: 1_500, interval: 10 },
    )
  const stateOf = async (id: number) => (await store.deployment(id))?.state

  const CLOSING = {
    'a lock': () => store.locks.take(LOCK),
    'a lock by a deployment of GitHub': () =>
      store.accept([
        queuedIntake(
          newDeployment({
            task: 'deploy:lock',
            errand: { kind: 'lock', reason: 'a migration', until: undefined, at: 1_500 },
            reports: nothing,
          }),
        ),
      ]),
    'a way back, and a pin': () => {
      const pin = { by: 'ann', reason: undefined, leaves: undefined }
      return store.ask({ ...newDeployment({ reports: nothing }), nonce: 'n'.repeat(32), pin }, 1_500)
    },
    'a mark of the commit as bad': () => store.markBad(1, { at: 1_500, by: 'ann', reason: undefined }),
  }

  test.each(Object.entries(CLOSING))('%s is there when whoever wanted it is told so', async (_, close) => {
    await queue({ environment: 'staging', lane: 'acme/shop/staging' })
    await claim()
    await store.move(1, 'running', 'succeeded', { at: 1_000, reports: nothing })
    const { id } = await queue()
    const gate = gateOf({ after: { environment: 'staging', bakeSeconds: 0 } })
    const goOn = await holdUp('reports')

    const claiming = claim({ gate, reports: toGitHub })
    await standStill(1)
    const closing = close()
    await standStill(2)
    // In the database: which of two answers is heard first is left to chance.
    const seenWhenClosed = closing.then(() => stateOf(id))
    await goOn()

    expect(await seenWhenClosed).toBe('running')
    expect((await claiming).deployment?.id).toBe(id)
  })

  test('an approval that is being taken back lets nothing begin', async () => {
    const { id } = await queue()
    await store.noteAuthors(id, ['mona'])
    await store.approvals.give(id, { by: 'ann', at: 1_500, until: 9_000 })
    const goOn = await holdUp('events')

    const takingBack = store.approvals.takeBack(id, { by: 'ann', at: 2_000 })
    await standStill(1)
    const claiming = claim({ gate: gateOf({ approval: DEMAND }) })
    await standStill(2)
    await goOn()

    expect(await takingBack).toMatchObject({ wasGiven: true })
    expect(await claiming).toMatchObject({
      deployment: undefined,
      held: [{ id, hold: { reason: 'approval_pending' } }],
    })
  })

  test('what is taken back while its turn comes lets the next one begin', async () => {
    const first = await queue()
    const second = await queue({ environment: 'staging', lane: 'acme/shop/staging' })
    const goOn = await holdUp('events')

    const cancelling = store.move(first.id, 'queued', 'cancelled', { at: 2_000, reports: nothing })
    await standStill(1)
    const claiming = claim()
    await standStill(2)
    await goOn()

    await cancelling
    expect((await claiming).deployment?.id).toBe(second.id)
  })
})
