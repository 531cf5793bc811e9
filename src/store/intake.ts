import { promisify } from 'node:util'
import { constants, zstdCompress, zstdCompressSync } from 'node:zlib'

import type { Kysely, Transaction } from 'kysely'

import type { Deployment } from '../deployment/deployment.ts'
import { enter, owe } from './moves.ts'
import { byNonce, bind } from './binding.ts'
import { BY_THEMSELVES, columnsOf, deploymentOf } from './rows.ts'
import type { Tables } from './schema.ts'
import type { Accepted, Intake, NewDeployment } from './store.ts'
import { inTransaction } from './transaction.ts'

type Trx = Transaction<Tables>

/** `Store.accept`: the deliveries and what they lead to, in one transaction. */
export async function accept(
  database: Kysely<Tables>,
  intakes: readonly Intake[],
): Promise<readonly Accepted[]> {
  const bodies = await Promise.all(intakes.map(({ delivery }) => compressed(delivery.body)))
  return inTransaction(database, async (trx) => {
    const ids = await insertDeliveries(trx, intakes, bodies)
    const answers: Accepted[] = []
    for (const intake of intakes) {
      const id = ids.get(intake.delivery.key)
      ids.delete(intake.delivery.key) // the same delivery twice in one batch: the second is a repetition
      answers.push(id === undefined ? await acceptAgain(trx, intake) : await acceptNew(trx, intake, id))
    }
    return answers
  })
}

async function insertDeliveries(trx: Trx, intakes: readonly Intake[], bodies: readonly Uint8Array[]) {
  const rows = intakes.map(({ delivery, verdict, reason, detail }, index) => ({
    key: delivery.key,
    guid: delivery.guid,
    event: delivery.event,
    action: delivery.action ?? null,
    received_at: delivery.receivedAt,
    headers: JSON.stringify(delivery.headers),
    body: bodies[index] ?? new Uint8Array(),
    verdict,
    reason: reason ?? null,
    detail: detail ?? null,
  }))
  const fresh = await trx
    .insertInto('deliveries')
    .values(rows)
    .onConflict((conflict) => conflict.column('key').doNothing())
    .returning(['id', 'key'])
    .execute()
  return new Map(fresh.map(({ key, id }) => [key, id]))
}

async function acceptNew(trx: Trx, intake: Intake, deliveryId: number): Promise<Accepted> {
  const { verdict, reason, detail } = intake
  if (intake.deployments.length === 0) return { verdict, reason, detail, deployments: [] }

  const deployments: Deployment[] = []
  let repeated = true
  for (const given of intake.deployments) {
    const known = await knownAs(trx, given, intake.delivery.receivedAt)
    repeated &&= known !== undefined
    deployments.push(known ?? (await createDeployment(trx, given, deliveryId, intake.delivery.receivedAt)))
  }
  if (!repeated) return { verdict, reason, detail, deployments }
  await trx
    .updateTable('deliveries')
    .set({ verdict: 'repeated', reason: null, detail: null })
    .where('id', '=', deliveryId)
    .execute()
  return { verdict: 'repeated', reason: undefined, detail: undefined, deployments }
}

// GitHub's "Redeliver" after the configuration was mended: what was ignored then may be wanted now.
async function acceptAgain(trx: Trx, intake: Intake): Promise<Accepted> {
  const earlier = await trx
    .selectFrom('deliveries')
    .select(['id', 'verdict'])
    .where('key', '=', intake.delivery.key)
    .executeTakeFirstOrThrow()
  if (earlier.verdict === 'ignored' && intake.verdict !== 'ignored') {
    const { verdict, reason, detail } = intake
    await trx
      .updateTable('deliveries')
      .set({ verdict, reason: reason ?? null, detail: detail ?? null })
      .where('id', '=', earlier.id)
      .execute()
    return acceptNew(trx, intake, earlier.id)
  }
  const rows = await trx
    .selectFrom('deployments')
    .selectAll()
    .where('delivery_id', '=', earlier.id)
    .orderBy('id')
    .execute()
  return { verdict: 'repeated', reason: undefined, detail: undefined, deployments: rows.map(deploymentOf) }
}

async function createDeployment(
  trx: Trx,
  given: NewDeployment,
  deliveryId: number,
  at: number,
): Promise<Deployment> {
  const environment = await numberIn(trx, given)
  const row = await trx
    .insertInto('deployments')
    .values({
      ...columnsOf(given),
      environment_id: environment.id,
      lane_id: await laneId(trx, given.lane),
      delivery_id: deliveryId,
      number: environment.number,
      state: 'queued',
      hold_reason: given.hold?.reason ?? null,
      hold_detail: given.hold?.detail ?? null,
      hold_since: given.hold?.since ?? null,
      created_at: at,
    })
    .returningAll()
    .executeTakeFirstOrThrow()
  const queued = deploymentOf(row)
  await enter(trx, queued, undefined, at)
  if (given.failure === undefined) {
    await owe(trx, queued, given.reports(queued), at)
    return queued
  }
  const { reason, detail } = given.failure
  const failed = await trx
    .updateTable('deployments')
    .set({ state: 'failed', reason, detail, finished_at: at })
    .where('id', '=', queued.id)
    .returningAll()
    .executeTakeFirstOrThrow()
    .then(deploymentOf)
  await enter(trx, failed, 'queued', at)
  await owe(trx, failed, given.reports(failed), at)
  return failed
}

/** The next number of the environment, which is made where it is new. */
async function numberIn(trx: Trx, given: NewDeployment): Promise<{ id: number; number: number }> {
  const repositoryId = await repository(trx, given)
  const key = given.environment.toLowerCase()
  await trx
    .insertInto('environments')
    .values({ repository_id: repositoryId, name: given.environment, name_key: key })
    .onConflict((conflict) => conflict.columns(['repository_id', 'name_key']).doNothing())
    .execute()
  const { id, next_number } = await trx
    .updateTable('environments')
    .set((row) => ({ next_number: row('next_number', '+', 1), name: given.environment }))
    .where('repository_id', '=', repositoryId)
    .where('name_key', '=', key)
    .returning(['id', 'next_number'])
    .executeTakeFirstOrThrow()
  return { id, number: next_number - 1 }
}

type RepositoryNames = Pick<NewDeployment, 'repository' | 'repositoryGithubId' | 'configuredAs'>

/**
 * The repository's row: by its name in the configuration, else, when that name is new, by GitHub's numeric id,
 * so that numbers go on when the name changes here or there.
 */
export async function repository(trx: Trx, given: RepositoryNames): Promise<number> {
  const facts = {
    name: given.repository,
    github_id: given.repositoryGithubId,
    configured_as: given.configuredAs,
  }
  const rows = trx.selectFrom('repositories').select('id')
  const known =
    (await rows.where('configured_as', '=', given.configuredAs).executeTakeFirst()) ??
    (await rows.where('github_id', '=', given.repositoryGithubId).orderBy('id', 'desc').executeTakeFirst())
  if (known !== undefined) {
    await trx.updateTable('repositories').set(facts).where('id', '=', known.id).execute()
    return known.id
  }
  const { id } = await trx
    .insertInto('repositories')
    .values(facts)
    .onConflict((conflict) => conflict.column('configured_as').doUpdateSet(facts))
    .returning('id')
    .executeTakeFirstOrThrow()
  return id
}

async function laneId(trx: Trx, name: string): Promise<number> {
  await trx
    .insertInto('lanes')
    .values({ name })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .execute()
  const { id } = await trx.selectFrom('lanes').select('id').where('name', '=', name).executeTakeFirstOrThrow()
  return id
}

/**
 * The deployment that is meant, where we have it already: GitHub's by its id, or by the nonce that we gave it,
 * which binds the two; one of our own by its environment and commit, since a commit goes there by itself only once.
 */
async function knownAs(trx: Trx, given: NewDeployment, at: number): Promise<Deployment | undefined> {
  const { githubId, nonce } = given
  if (githubId === undefined) return byCommit(trx, given)
  const known = await byGithubId(trx, githubId)
  if (known !== undefined || nonce === undefined) return known
  const ours = await byNonce(trx, nonce)
  const { apiUrl, creator, creatorAvatar } = given
  return ours !== undefined && isSamePlace(ours, given)
    ? bind(trx, ours.id, { githubId, apiUrl, creator, creatorAvatar }, { at, reports: given.reports })
    : undefined
}

/** A payload can be copied; what it claims to be must also be what it is. */
const isSamePlace = (ours: Deployment, given: NewDeployment): boolean =>
  ours.configuredAs === given.configuredAs &&
  ours.environment.toLowerCase() === given.environment.toLowerCase() &&
  ours.sha === given.sha &&
  ours.task === given.task

const byGithubId = (trx: Trx, githubId: number): Promise<Deployment | undefined> =>
  trx
    .selectFrom('deployments')
    .selectAll()
    .where('github_id', '=', githubId)
    .executeTakeFirst()
    .then((row) => row && deploymentOf(row))

const byCommit = (trx: Trx, given: NewDeployment): Promise<Deployment | undefined> =>
  trx
    .selectFrom('deployments')
    .innerJoin('environments', 'environments.id', 'deployments.environment_id')
    .innerJoin('repositories', 'repositories.id', 'environments.repository_id')
    .selectAll('deployments')
    .where('repositories.configured_as', '=', given.configuredAs)
    .where('environments.name_key', '=', given.environment.toLowerCase())
    .where('deployments.sha', '=', given.sha)
    .where('deployments.origin', 'in', BY_THEMSELVES)
    .executeTakeFirst()
    .then((row) => row && deploymentOf(row))

const SMALL = 64 * 1024
const FAST = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }
const compressLater = promisify(zstdCompress)

/** Small bodies at once: handing 9 kB to the thread pool costs more than compressing it. */
const compressed = async (body: Buffer): Promise<Uint8Array> =>
  body.length <= SMALL ? zstdCompressSync(body, FAST) : compressLater(body, FAST)
