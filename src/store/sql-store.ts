import { sql } from 'kysely'

import { createApprovals } from './approvals.ts'
import { noteAuthors } from './authors.ts'
import { openDatabase } from './database.ts'
import { ask } from './asked.ts'
import { markBad, refFor } from './bad-marks.ts'
import { createInBatch } from './batch.ts'
import { bind, byNonce } from './binding.ts'
import { knowForgotten } from './forgotten.ts'
import { createConclusions } from './conclusions.ts'
import { createHeads } from './heads.ts'
import { createHooks } from './hooks.ts'
import { createInbox } from './inbox.ts'
import { createAccept } from './intake.ts'
import { beginAfter } from './ids.ts'
import { checked, checksMoved } from './checked.ts'
import { putBack, unblock } from './blocking.ts'
import { claim, force, hold, release } from './claims.ts'
import { holdGates } from './gates-lock.ts'
import { createLocks, gateFacts, gateFactsOf, heldBefore } from './gates.ts'
import { move, moveAll } from './moves.ts'
import { createPins } from './pins.ts'
import { insertProcess, processesOf } from './process-rows.ts'
import { createOutbox } from './outbox.ts'
import { configured, known, landmarks, lastSuccessBeside, see, seen } from './places.ts'
import { createRetaining } from './retention.ts'
import { deploymentOf, FEW_BY_ID, isIn } from './rows.ts'
import { changeLanes } from './lanes.ts'
import { line } from './line.ts'
import { createWaiting } from './waiting.ts'
import { meanwhile } from './meanwhile.ts'
import { supersedeOlder } from './superseding.ts'
import { situation } from './situations.ts'
import type { Store } from './store.ts'
import { takeUp } from './taking-up.ts'
import { inTransaction } from './transaction.ts'

/**
 * Opens the store: SQLite at a path, or PostgreSQL at a `postgres://` address. One implementation, and one
 * contract, on both. `onLockLost`: another server holds the database now, so this one must end. Where `onEmpty` throws, nothing is
 * made in a PostgreSQL that is empty.
 */
export async function openStore(
  address: string,
  onLockLost?: () => void,
  onEmpty?: (database: string) => void,
): Promise<Store> {
  const database = await openDatabase(address, onLockLost, onEmpty)
  const { kysely } = database
  const note = (name: string, value: string): Promise<void> =>
    inTransaction(kysely, async (trx) => {
      await trx
        .insertInto('settings')
        .values({ name, value })
        .onConflict((conflict) => conflict.column('name').doUpdateSet({ value }))
        .execute()
    })
  const forgotten = await knowForgotten(kysely)
  const inBatch = createInBatch(kysely, forgotten)
  const accept = createAccept(database.engine, inBatch)
  return {
    async accept(intakes) {
      database.assertSound()
      return (await accept(intakes)).accepted
    },
    acceptAndClaim:
      database.engine === 'sqlite'
        ? async (intakes, claiming) => {
            database.assertSound()
            return accept(intakes, claiming)
          }
        : undefined,
    async ask(wanted, at) {
      database.assertSound()
      return ask(database, inBatch, { wanted, at })
    },
    async takeUp(wanted, at) {
      database.assertSound()
      return takeUp(database.engine, inBatch, { wanted, at })
    },
    byNonce: (nonce) => byNonce(kysely, nonce),
    async claim(options) {
      database.assertSound()
      database.assertSole()
      return claim(database, options)
    },
    move: (id, from, to, change) => move(kysely, id, from, to, change),
    moveAll: (from, to, changes) => moveAll(kysely, from, to, changes),
    changeLanes: (lanes) => changeLanes(kysely, lanes),
    async deployment(id) {
      const row = await kysely.selectFrom('deployments').selectAll().where('id', '=', id).executeTakeFirst()
      return row && deploymentOf(row)
    },
    async named({ repository, environment, number }) {
      const row = await kysely
        .selectFrom('environments')
        .innerJoin('deployments', 'deployments.environment_id', 'environments.id')
        .selectAll('deployments')
        .where('environments.name_key', '=', environment.toLowerCase())
        .where('deployments.number', '=', number)
        .where(sql`lower(deployments.repository)`, '=', repository.toLowerCase())
        .orderBy('deployments.id', 'desc')
        .limit(1)
        .executeTakeFirst()
      return row && deploymentOf(row)
    },
    async inState(...states) {
      const rows = await kysely
        .selectFrom('deployments')
        .selectAll()
        .where(isIn(states))
        .orderBy(FEW_BY_ID)
        .execute()
      return rows.map(deploymentOf)
    },
    line: (averagesSince) => line(kysely, averagesSince),
    supersedeOlder: (newer, change) => inTransaction(kysely, (trx) => supersedeOlder(trx, newer, change)),
    situation: (wanted) => situation(kysely, wanted),
    beginAfter: (id) => beginAfter(database, id),
    refFor: (place, which) => refFor(kysely, place, which),
    markBad: (id, mark) => markBad(database, id, mark),
    ...createConclusions(kysely),
    previousSha: async (id) => (await lastSuccessBeside(kysely, id))?.sha,
    putBack: (id, blocked, change) => putBack(kysely, id, blocked, change),
    unblock: (id, change) => unblock(kysely, id, change),
    hold: (id, wanted, change) => hold(kysely, id, wanted, change),
    release: (id, change) => release(database, id, change),
    force: (id, forced, change) => force(kysely, id, forced, change),
    gateFacts: (deployment, wanted) => gateFacts(kysely, deployment, wanted),
    gateFactsOf: (asked, at) => gateFactsOf(kysely, asked, at),
    noteAuthors: (id, logins) => noteAuthors(kysely, id, logins),
    heldBefore: (id, reason) => heldBefore(kysely, id, reason),
    locks: createLocks(database),
    pins: createPins(database),
    approvals: createApprovals(database),
    async asking(id) {
      const { numUpdatedRows } = await inTransaction(kysely, (trx) =>
        trx
          .updateTable('deployments')
          .set({ was_asked: 1 })
          .where('id', '=', id)
          .where('state', '=', sql.lit('queued'))
          .executeTakeFirst(),
      )
      return numUpdatedRows > 0n
    },
    checked: (id, at) => checked(kysely, id, at),
    checksMoved: (configuredAs, sha) => checksMoved(kysely, configuredAs, sha),
    bind: (id, made, change) =>
      inTransaction(kysely, async (trx) => {
        await holdGates(database.engine, trx, 'change')
        return bind(trx, id, made, change)
      }),
    waiting: createWaiting(kysely),
    landmarks: (id) => landmarks(kysely, id),
    meanwhile: (id) => meanwhile(kysely, id),
    see: (place) => see(kysely, place),
    seen: () => seen(kysely),
    configured: (places, at) => configured(kysely, places, at),
    known: (githubIds) => known(kysely, githubIds),
    async recordProcess(deploymentId, process) {
      await inTransaction(kysely, (trx) => insertProcess(trx, deploymentId, process))
    },
    processesOf: (deploymentId) => processesOf(kysely, deploymentId),
    async repositoriesKnown() {
      const rows = await kysely
        .selectFrom('repositories')
        .select(['github_id', 'configured_as'])
        .where('github_id', '!=', 0)
        .orderBy('id')
        .execute()
      return new Map(rows.map((row) => [row.github_id, row.configured_as]))
    },
    hooks: createHooks(kysely),
    heads: createHeads(kysely),
    outbox: createOutbox(kysely),
    inbox: createInbox(database),
    retaining: createRetaining(kysely, forgotten.add),
    async setting(name, make) {
      await kysely
        .insertInto('settings')
        .values({ name, value: make() })
        .onConflict((conflict) => conflict.column('name').doNothing())
        .execute()
      const row = await kysely
        .selectFrom('settings')
        .select('value')
        .where('name', '=', name)
        .executeTakeFirstOrThrow()
      return row.value
    },
    async noted(name) {
      const rows = kysely.selectFrom('settings').select('value').where('name', '=', name)
      return (await rows.executeTakeFirst())?.value
    },
    note: (name, value) => note(name, value),
    async probe() {
      database.assertSound()
      await note('probe', '1')
    },
    close: () => database.close(),
  }
}
