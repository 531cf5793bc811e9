/** Whether PostgreSQL itself has said no to a statement, and goes on listening. */
export const isAnswer = (thrown: unknown): boolean => partOf(thrown, 'severity') === 'ERROR'

/** Whether a connection to PostgreSQL that had been made is there no longer: its server ended it, or the network did. */
export const isLostConnection = (thrown: unknown): boolean => {
  const code = codeOf(thrown)
  if (typeof code === 'string') return LOST.has(code)
  return thrown instanceof Error && LOST_WORDS.test(thrown.message)
}

/** admin_shutdown, crash_shutdown, database_dropped, idle_in_transaction_session_timeout, and what a socket says. */
const LOST: ReadonlySet<string> = new Set([
  '57P01',
  '57P02',
  '57P04',
  '25P03',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
])
/** What pg itself says; where a connection cannot be made in time it begins with the same words. */
const LOST_WORDS = /^Connection terminated(?: unexpectedly)?$|is not queryable$/

/** Whether PostgreSQL takes no connection at this moment, as while it is started again. */
export const isAway = (thrown: unknown): boolean => AWAY.has(String(codeOf(thrown)))

/** cannot_connect_now, too_many_connections, and what a socket says. */
const AWAY: ReadonlySet<string> = new Set(['57P03', '53300', 'ECONNREFUSED', 'ENOENT'])

/** Whether PostgreSQL took back a transaction since it got in the way of another: a deadlock, or what they would have done together. */
export const isConflict = (thrown: unknown): boolean => ['40P01', '40001'].includes(String(codeOf(thrown)))

const codeOf = (thrown: unknown): unknown => partOf(thrown, 'code')

const partOf = (thrown: unknown, key: string): unknown =>
  typeof thrown === 'object' && thrown !== null ? Reflect.get(thrown, key) : undefined
