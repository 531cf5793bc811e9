import { sql, type Transaction } from 'kysely'

import type { Engine } from './database.ts'
import type { Tables } from './schema.ts'

// Any constant will do, as long as it is not that of the server's own lock.
const GATES = 0x67617465

const AS = {
  /** Many may judge side by side. */
  judge: sql`select pg_advisory_xact_lock_shared(${sql.lit(GATES)})`,
  /** Whoever closes a gate does it while nobody judges. */
  change: sql`select pg_advisory_xact_lock(${sql.lit(GATES)})`,
} as const

/**
 * From here to the end of the transaction nobody closes a gate while another judges it: PostgreSQL would let a
 * deployment begin by facts that somebody has changed meanwhile, and been told so. To be called before the transaction
 * touches anything, so that no two of them wait for each other. SQLite has one writer and needs nothing.
 */
export async function holdGates(
  engine: Engine,
  trx: Transaction<Tables>,
  to: keyof typeof AS,
): Promise<void> {
  if (engine === 'postgres') await AS[to].execute(trx)
}
