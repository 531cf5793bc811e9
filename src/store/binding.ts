import type { Transaction } from 'kysely'

import type { Deployment } from '../deployment/deployment.ts'
import { isFinal } from '../deployment/state.ts'
import { mayStillGo } from './beside.ts'
import { judgeBehindAnew, letThrough } from './claims.ts'
import { owe } from './moves.ts'
import { deploymentOf, holdColumns } from './rows.ts'
import type { Tables } from './schema.ts'
import type { Bound, LetThrough } from './store.ts'
import type { Handle } from './transaction.ts'
import { streakAround } from './streaks.ts'

type Trx = Transaction<Tables>

/**
 * `Store.bind`: the answer, the webhook and a list may all say what GitHub's id is; the first one counts. One
 * that ended meanwhile is bound as well, so that GitHub hears of its end.
 */
export async function bind(
  trx: Trx,
  id: number,
  { githubId, apiUrl, creator, creatorAvatar }: Bound,
  { at, reports, beside }: LetThrough,
): Promise<Deployment | undefined> {
  const goes = await mayStillGo(trx, id, beside)
  const bound = await trx
    .updateTable('deployments')
    .set({
      github_id: githubId,
      api_url: apiUrl,
      creator,
      creator_avatar: creatorAvatar,
      ...(goes ? holdColumns(undefined) : {}),
    })
    .where('id', '=', id)
    .where('github_id', 'is', null)
    .returningAll()
    .executeTakeFirst()
  if (bound === undefined) {
    const row = await trx.selectFrom('deployments').selectAll().where('id', '=', id).executeTakeFirst()
    const known = row?.github_id === githubId ? deploymentOf(row) : undefined
    // Its webhook came first, and knew less of what there is beside it.
    const isHeld = beside !== undefined && known?.state === 'queued' && known.hold !== undefined
    return isHeld && goes ? letThrough(trx, known, { at, reports }) : known
  }
  const deployment = deploymentOf(bound)
  // Of an end all others have heard when it came.
  const owed = reports(deployment, await streakAround(trx, id)).filter(
    ({ channel }) => channel === 'github' || !isFinal(deployment.state),
  )
  await owe(trx, deployment, owed, at)
  if (goes && deployment.state === 'queued') await judgeBehindAnew(trx, deployment, at)
  return deployment
}

/** `Store.byNonce`. */
export const byNonce = (handle: Handle, nonce: string): Promise<Deployment | undefined> =>
  handle
    .selectFrom('deployments')
    .selectAll()
    .where('nonce', '=', nonce)
    .executeTakeFirst()
    .then((row) => row && deploymentOf(row))
