import { sql, type Selectable, type Transaction } from 'kysely'

import type { Tables } from './schema.ts'
import { compiledOnce } from './statements.ts'
import type { FailureStreak, NewDeployment } from './store.ts'
import { streakIn } from './streaks.ts'

type Trx = Transaction<Tables>

/** The rows that many deployments share. Within one transaction each is looked up once. */
export interface SharedRows {
  /** The next number of the environment, which is made where it is new. */
  numberIn(given: NewDeployment): Promise<Numbered>
  laneId(name: string): Promise<number>
  /** Writes down which numbers were given out; must be called before the transaction ends. */
  write(): Promise<void>
}

interface Numbered {
  readonly id: number
  readonly number: number
  readonly streak: FailureStreak | undefined
}

interface Environment {
  readonly id: number
  readonly streak: FailureStreak | undefined
  name: string
  nextNumber: number
  isWritten: boolean
}

/** Looks up, or makes, what the deployments of one transaction share. */
export function createSharedRows(trx: Trx): SharedRows {
  const repositories = new Map<string, number>()
  const environments = new Map<string, Environment>()
  const lanes = new Map<string, number>()
  return {
    async numberIn(given) {
      const names = [given.configuredAs, given.repositoryGithubId, given.repository].join(' ')
      const repositoryId = repositories.get(names) ?? (await repository(trx, given))
      repositories.set(names, repositoryId)
      const key = given.environment.toLowerCase()
      const known = environments.get(`${repositoryId} ${key}`)
      if (known === undefined) {
        const { id, nextNumber, streak } = await firstNumberIn(trx, repositoryId, given.environment)
        environments.set(`${repositoryId} ${key}`, {
          id,
          streak,
          name: given.environment,
          nextNumber,
          isWritten: true,
        })
        return { id, number: nextNumber - 1, streak }
      }
      known.name = given.environment
      known.nextNumber += 1
      known.isWritten = false
      return { id: known.id, number: known.nextNumber - 1, streak: known.streak }
    },
    async laneId(name) {
      const id = lanes.get(name) ?? (await lane(trx, name))
      lanes.set(name, id)
      return id
    },
    async write() {
      for (const { id, name, nextNumber, isWritten } of environments.values())
        if (!isWritten)
          await trx
            .updateTable('environments')
            .set({ name, next_number: nextNumber })
            .where('id', '=', id)
            .execute()
    },
  }
}

/** Takes one number, and with it the row: nobody else can take another before this transaction ends. */
async function firstNumberIn(
  trx: Trx,
  repositoryId: number,
  name: string,
): Promise<Pick<Environment, 'id' | 'nextNumber' | 'streak'>> {
  const key = name.toLowerCase()
  const [known] = await takeNumber(trx, name, repositoryId, key)
  if (known !== undefined) return numbered(known)
  await trx
    .insertInto('environments')
    .values({ repository_id: repositoryId, name, name_key: key })
    .onConflict((conflict) => conflict.columns(['repository_id', 'name_key']).doNothing())
    .execute()
  const [made] = await takeNumber(trx, name, repositoryId, key)
  if (made === undefined) throw new Error(`The environment ${name} is gone.`)
  return numbered(made)
}

const takeNumber = compiledOnce((handle) =>
  handle
    .updateTable('environments')
    .set({ next_number: sql`next_number + 1`, name: '' })
    .where('repository_id', '=', 0)
    .where('name_key', '=', '')
    .returning(['id', 'next_number', 'failures', 'failing_since']),
)

type TakenRow = Pick<Selectable<Tables['environments']>, 'id' | 'next_number' | 'failures' | 'failing_since'>

const numbered = (row: TakenRow): Pick<Environment, 'id' | 'nextNumber' | 'streak'> => ({
  id: row.id,
  nextNumber: row.next_number,
  streak: streakIn(row),
})

type RepositoryNames = Pick<NewDeployment, 'repository' | 'repositoryGithubId' | 'configuredAs'>

/**
 * The repository's row: by its name in the configuration, else, when that name is new, by GitHub's numeric id,
 * so that numbers go on when the name changes here or there.
 */
export async function repository(trx: Trx, given: RepositoryNames): Promise<number> {
  const [ofThatName] = await byName(trx, given.configuredAs)
  const known =
    ofThatName ??
    (given.repositoryGithubId === 0
      ? undefined
      : await trx
          .selectFrom('repositories')
          .selectAll()
          .where('github_id', '=', given.repositoryGithubId)
          .orderBy('id', 'desc')
          .executeTakeFirst())
  const facts = {
    name: given.repository,
    github_id: given.repositoryGithubId || (known?.github_id ?? 0),
    configured_as: given.configuredAs,
  }
  if (known !== undefined) {
    const isSame =
      known.name === facts.name &&
      known.github_id === facts.github_id &&
      known.configured_as === facts.configured_as
    if (!isSame) await trx.updateTable('repositories').set(facts).where('id', '=', known.id).execute()
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

const byName = compiledOnce((handle) =>
  handle.selectFrom('repositories').selectAll().where('configured_as', '=', ''),
)

/** The row of a lane, which is made where it is new. */
export async function lane(trx: Trx, name: string): Promise<number> {
  const [known] = await laneNamed(trx, name)
  if (known !== undefined) return known.id
  await trx
    .insertInto('lanes')
    .values({ name })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .execute()
  const [made] = await laneNamed(trx, name)
  if (made === undefined) throw new Error(`The lane ${name} is gone.`)
  return made.id
}

const laneNamed = compiledOnce((handle) => handle.selectFrom('lanes').select('id').where('name', '=', ''))
