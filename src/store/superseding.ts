import { sql, type Transaction } from 'kysely'

import type { Deployment } from '../deployment/deployment.ts'
import { change } from './moves.ts'
import { BY_THEMSELVES, madeAfter } from './rows.ts'
import type { Tables } from './schema.ts'
import type { Change } from './store.ts'

const IS_OLDER = sql<boolean>`((older.id < newer.id and not ${madeAfter('older', 'newer')})
  or (older.id > newer.id and ${madeAfter('newer', 'older')}))`

/**
 * Takes back what was asked for in the same environment before this one and has not begun. What goes there by itself
 * gives way to what is asked for once it has been let through; before that the newest of its branch is waited for.
 */
export async function supersedeOlder(
  trx: Transaction<Tables>,
  newer: Deployment,
  { at, reports }: Pick<Change, 'at' | 'reports'>,
): Promise<readonly Deployment[]> {
  const isAsked = newer.origin === 'deployment' || newer.origin === 'person'
  const older = await trx
    .selectFrom('deployments as newer')
    .innerJoin('deployments as older', 'older.environment_id', 'newer.environment_id')
    .select('older.id')
    .where('newer.id', '=', newer.id)
    .where(IS_OLDER)
    .where('older.state', '=', sql.lit('queued'))
    .where('older.task', '=', newer.task)
    .where((where) =>
      where.or([
        where('older.origin', 'not in', BY_THEMSELVES),
        ...(isAsked ? [where('older.hold_reason', 'is', null)] : []),
      ]),
    )
    .orderBy('older.id')
    .execute()
  const taken: Deployment[] = []
  const detail = `Superseded by #${newer.number}.`
  for (const { id } of older) {
    const ended = await change(trx, id, 'queued', 'cancelled', { at, reason: 'superseded', detail, reports })
    if (ended !== undefined) taken.push(ended)
  }
  return taken
}
