import { setTimeout as pause } from 'node:timers/promises'

import type { Client } from 'pg'

import { WATCHFUL } from './connections.ts'

// Any constant will do, as long as every Ferryman asks for the same one.
const ONE_SERVER = 0x66657272
const AGAIN_MS = 1_000
const ENDING_MS = 100
/** A network forgets a connection on which nothing happens, and tells neither side. */
const ASK_EVERY_MS = 5_000
const ANSWER_WITHIN_MS = 5_000
const LET_GO_WITHIN_MS = 2_000

export interface ServerLock {
  /** False from when its connection breaks until it is taken again: another server may have it. */
  readonly isHeld: boolean
  release(): Promise<void>
}

/** A session of PostgreSQL; what it is told by outlives the connection to it. */
interface Session {
  readonly client: Client
  readonly pid: number
  readonly since: string
}

/**
 * Holds PostgreSQL's advisory lock that makes this the only server of a database, or answers undefined when
 * another has it. It lives as long as its connection: when that breaks, or does not answer, it is taken again, and if another
 * server was faster `onLost` is told.
 */
export async function holdServerLock(address: string, onLost: () => void): Promise<ServerLock | undefined> {
  let isReleased = false
  const first = await takeLock(address)
  if (typeof first === 'string') return undefined
  let holder: Session | undefined

  const keep = (session: Session): void => {
    const { client } = session
    holder = session
    const timer = setInterval(() => void client.query('select 1').catch(() => client.end()), ASK_EVERY_MS)
    timer.unref()
    client.once('end', () => {
      clearInterval(timer)
      holder = undefined
      void takeAgain(session)
    })
  }
  const takeAgain = async (before: Session): Promise<void> => {
    while (!isReleased) {
      try {
        const taken = await takeLock(address, before)
        if (taken === 'of_another') return onLost()
        if (taken !== 'was_ours') return isReleased ? await letGo(taken.client) : keep(taken)
        await pause(ENDING_MS)
      } catch {
        await pause(AGAIN_MS) // the database is away; what needs it says so
      }
    }
  }
  keep(first)
  return {
    get isHeld() {
      return holder !== undefined
    },
    async release() {
      isReleased = true
      if (holder !== undefined) await letGo(holder.client)
    },
  }
}

/**
 * A session that holds the lock; rejects when the database is away. Where the network has ended a connection on our side
 * alone, PostgreSQL keeps the session of before, and with it the lock: that is ended.
 */
async function takeLock(address: string, before?: Session): Promise<Session | 'was_ours' | 'of_another'> {
  const { default: pg } = await import('pg')
  const client = new pg.Client({
    connectionString: address,
    connectionTimeoutMillis: 10_000,
    query_timeout: ANSWER_WITHIN_MS,
    keepAlive: true,
  })
  client.on('error', () => {}) // 'end' follows
  await client.connect()
  try {
    await client.query(WATCHFUL)
    const { rows } = await client.query<Pick<Session, 'pid' | 'since'> & { readonly ours: boolean }>(
      `select pg_try_advisory_lock($1) as ours, pid, backend_start::text as since
        from pg_stat_activity where pid = pg_backend_pid()`,
      [ONE_SERVER],
    )
    const [session] = rows
    if (session?.ours === true) return { client, pid: session.pid, since: session.since }
    const wasOurs = before !== undefined && (await end(before, client))
    await client.end()
    return wasOurs ? 'was_ours' : 'of_another'
  } catch (cause) {
    void client.end()
    throw cause
  }
}

/** Ends a session that is still there; answers whether it was. */
async function end({ pid, since }: Session, client: Client): Promise<boolean> {
  const { rows } = await client.query(
    'select pg_terminate_backend(pid) from pg_stat_activity where pid = $1 and backend_start::text = $2',
    [pid, since],
  )
  return rows.length > 0
}

/** Lets go of the lock, and of the connection; one that does not answer is waited for no longer. */
async function letGo(client: Client): Promise<void> {
  const words = { text: 'select pg_advisory_unlock($1)', values: [ONE_SERVER] }
  await client.query(Object.assign(words, { query_timeout: LET_GO_WITHIN_MS })).catch(() => {})
  void client.end()
}
