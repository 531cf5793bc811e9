import { isBusy } from './database.ts'
import { isAway, isLostConnection } from './postgres-errors.ts'

/** What pg says where an answer, or a connection, does not come in time; nobody else says it so. */
const LATE = /^(?:Query read timeout|timeout exceeded when trying to connect|Connection terminated due to)/
/** query_canceled: a statement took longer than it may. */
const TOO_SLOW = '57014'

/** Whether the database did not answer a question, for a reason that may pass: it is away, held by another, or too slow. */
export function isUnanswered(thrown: unknown): boolean {
  if (!(thrown instanceof Error)) return false
  const { code, syscall } = thrown as NodeJS.ErrnoException
  // A file that is not there is no database that is not there.
  const isOfDatabase = syscall === undefined || ['connect', 'read', 'write'].includes(syscall)
  return (
    isBusy(thrown) ||
    code === TOO_SLOW ||
    LATE.test(thrown.message) ||
    (isOfDatabase && (isAway(thrown) || isLostConnection(thrown)))
  )
}
