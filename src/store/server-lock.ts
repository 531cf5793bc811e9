import { setTimeout as pause } from 'node:timers/promises'

import type { Client } from 'pg'

// Any constant will do, as long as every Ferryman asks for the same one.
const ONE_SERVER = 0x66657272
const AGAIN_MS = 1_000

export interface ServerLock {
  release(): Promise<void>
}

/**
 * Holds PostgreSQL's advisory lock that makes this the only server of a database, or answers undefined when
 * another has it. It lives as long as its connection: when that breaks it is taken again, and if another
 * server was faster `onLost` is told.
 */
export async function holdServerLock(address: string, onLost: () => void): Promise<ServerLock | undefined> {
  let released = false
  let holder = await takeLock(address)
  if (holder === undefined) return undefined

  const watch = (client: Client): void => {
    client.once('end', () => void takeAgain())
  }
  const takeAgain = async (): Promise<void> => {
    while (!released) {
      try {
        const again = await takeLock(address)
        if (again === undefined) return onLost()
        holder = again
        if (released) await again.end()
        else watch(again)
        return
      } catch {
        await pause(AGAIN_MS) // the database is away; what needs it says so
      }
    }
  }
  watch(holder)
  return {
    async release() {
      released = true
      await holder?.end().catch(() => {})
    },
  }
}

/** A connection that holds the lock, or undefined when another has it; rejects when the database is away. */
async function takeLock(address: string): Promise<Client | undefined> {
  const { default: pg } = await import('pg')
  const client = new pg.Client({
    connectionString: address,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
  })
  client.on('error', () => {}) // 'end' follows
  await client.connect()
  const { rows } = await client.query<{ ours: boolean }>('select pg_try_advisory_lock($1) as ours', [
    ONE_SERVER,
  ])
  if (rows[0]?.ours === true) return client
  await client.end()
  return undefined
}
