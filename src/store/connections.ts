import { setTimeout as pause } from 'node:timers/promises'

import type { PostgresPool, PostgresPoolClient } from 'kysely'
import type { Pool, PoolClient } from 'pg'

import { isAnswer, isAway, isLostConnection } from './postgres-errors.ts'

/** Each connection of a pool may be found dead. */
const MOST_LOST = 20
/** A server that is started again is back within a moment, mostly. */
const WAIT_MS = 2_000
const PAUSE_MS = 50

/**
 * The session looks after itself where we cannot tell it that we are gone, and frees what it has locked: a network that
 * swallows everything, or a machine that is switched off, tells nobody of it.
 */
export const WATCHFUL = `set tcp_keepalives_idle = 10; set tcp_keepalives_interval = 5; set tcp_keepalives_count = 3;
  set tcp_user_timeout = 20000`
const BRIEF = `set idle_in_transaction_session_timeout = 10000; set statement_timeout = 7500; ${WATCHFUL}`

/**
 * The connections of a pool, as Kysely takes them. While their server is being started again it is waited for, for two
 * seconds. One that is found to be lost before anything was done on it gives way to another; one that did not answer in time is
 * never used again, since the answer may still come, for whoever asks next.
 */
export function createConnections(pool: Pool): PostgresPool {
  const prepared = new WeakSet<PoolClient>()
  const take = async (): Promise<PoolClient> => {
    const client = await pool.connect()
    try {
      if (!prepared.has(client)) await client.query(BRIEF)
      prepared.add(client)
      return client
    } catch (cause) {
      client.release(true)
      throw cause
    }
  }
  const connect = async (): Promise<PoolClient> => {
    for (const until = performance.now() + WAIT_MS; ;) {
      try {
        return await take()
      } catch (thrown) {
        if (!(isAway(thrown) || isLostConnection(thrown)) || performance.now() > until) throw thrown
        await pause(PAUSE_MS)
      }
    }
  }
  return {
    options: pool.options,
    connect: async () => connectionOf(await connect(), connect),
    end: () => pool.end(),
  }
}

/** `another`: takes the place of one that is lost. */
function connectionOf(first: PoolClient, another: () => Promise<PoolClient>): PostgresPoolClient {
  let client: PoolClient | undefined = first
  let isUsed = false
  /** Why nothing more is to be asked of it. */
  let broken: unknown

  const ask = async (statement: string, values: readonly unknown[]) => {
    if (client === undefined || broken !== undefined) throw broken
    try {
      const answer = await client.query(statement, values.map(writable))
      isUsed = true
      return answer
    } catch (thrown) {
      if (isAnswer(thrown)) isUsed = true
      else broken = thrown
      throw thrown
    }
  }
  const askAnother = async (): Promise<void> => {
    client?.release(true)
    client = undefined
    client = await another()
    broken = undefined
  }
  const query = async (statement: string, values: readonly unknown[] = []) => {
    for (let lost = 1; ; lost += 1) {
      try {
        return await ask(statement, values)
      } catch (thrown) {
        const isToBeAsked = !isUsed && changesNothing(statement) && isLostConnection(thrown)
        if (!isToBeAsked || lost >= MOST_LOST) throw thrown
        await askAnother()
      }
    }
  }
  return {
    query: query as unknown as PostgresPoolClient['query'], // cursors are nothing that we use
    release: (isToBeDestroyed = false) => client?.release(isToBeDestroyed || broken !== undefined),
  }
}

const changesNothing = (statement: string): boolean => /^\s*(?:begin|select|with)\b/i.test(statement)

/**
 * What PostgreSQL would refuse, as it can be taken: it keeps no NUL in a text, and what a command or another server has said
 * may hold one; all numbers here are whole, and a time that was worked out need not be; and what is asked for by a number that
 * nothing can have is not there.
 */
function writable(value: unknown): unknown {
  if (typeof value === 'string') return value.includes('\0') ? value.replaceAll('\0', '\ufffd') : value
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value
  return Math.min(Math.max(Math.round(value), -Number.MAX_SAFE_INTEGER), Number.MAX_SAFE_INTEGER)
}
