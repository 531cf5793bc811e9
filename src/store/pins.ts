import type { Kysely, Selectable, Transaction } from 'kysely'

import { isByItself, type Deployment } from '../deployment/deployment.ts'
import type { Pin } from '../deployment/gates.ts'
import type { Database } from './database.ts'
import { holdGates } from './gates-lock.ts'
import type { Tables } from './schema.ts'
import { compiledOnce } from './statements.ts'
import type { Pins } from './store.ts'
import { inTransaction, type Handle } from './transaction.ts'

type Trx = Transaction<Tables>

/** The pins on the store's table. */
export const createPins = ({ kysely: database, engine }: Pick<Database, 'kysely' | 'engine'>): Pins => ({
  free: (place) =>
    inTransaction(database, async (trx) => {
      await holdGates(engine, trx, 'change')
      const row = await trx.deleteFrom('pins').where('place', '=', place).returningAll().executeTakeFirst()
      return row && pinOf(row)
    }),
  all: () => allPins(database),
})

async function allPins(database: Kysely<Tables>): Promise<readonly Pin[]> {
  const rows = await database.selectFrom('pins').selectAll().orderBy('place').execute()
  return rows.map(pinOf)
}

/** All pins by their places, `owner/name/environment` in lower case. */
export const pinsByPlace = async (handle: Handle): Promise<ReadonlyMap<string, Pin>> =>
  byPlace(await handle.selectFrom('pins').selectAll().execute())

/** The same with the pin at one place alone. */
export const pinAt = async (handle: Handle, place: string): Promise<ReadonlyMap<string, Pin>> =>
  byPlace(await selectPin(handle, place))

const selectPin = compiledOnce((handle) => handle.selectFrom('pins').selectAll().where('place', '=', ''))

const byPlace = (rows: readonly Selectable<Tables['pins']>[]): ReadonlyMap<string, Pin> =>
  new Map(rows.map((row) => [row.place, pinOf(row)]))

/** Puts a pin in place of the one that is there, within the transaction that asks for what is pinned. */
export async function putPin(
  trx: Trx,
  { place, sha, reason, by, at }: Pin,
  deploymentId: number,
): Promise<void> {
  const values = { sha, reason: reason ?? null, pinned_by: by, at, deployment_id: deploymentId }
  await trx
    .insertInto('pins')
    .values({ place, ...values })
    .onConflict((conflict) => conflict.column('place').doUpdateSet(values))
    .execute()
}

/** What somebody has asked for since, and has succeeded with another commit, ends the pin. */
export async function endPin(trx: Trx, place: string, succeeded: Deployment): Promise<void> {
  const { id, task, sha, deployedSha = sha } = succeeded
  if (task !== 'deploy' || isByItself(succeeded)) return
  await trx
    .deleteFrom('pins')
    .where('place', '=', place)
    .where('sha', '<>', deployedSha)
    .where('deployment_id', '<', id)
    .execute()
}

const pinOf = ({ place, sha, reason, pinned_by: by, at }: Selectable<Tables['pins']>): Pin => ({
  place,
  sha,
  reason: reason ?? undefined,
  by,
  at,
})
