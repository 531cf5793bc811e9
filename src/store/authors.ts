import type { Kysely } from 'kysely'

import { OTHER_DEPLOYED_THIS } from './rows.ts'
import type { Tables } from './schema.ts'
import { inTransaction, type Handle } from './transaction.ts'

/** Whose change a commit is. */
export interface Authorship {
  readonly authors: readonly string[]
  /** Whether GitHub has been asked. */
  readonly areAuthorsKnown: boolean
}

/**
 * What any deployment of the same commit in the repository has told, by the ids of these deployments: whoever deploys it
 * again, those who made it stay the same. One that put another commit in place has told of both.
 */
export async function authorsOf(
  handle: Handle,
  ids: readonly number[],
): Promise<ReadonlyMap<number, Authorship>> {
  if (ids.length === 0) return new Map()
  const told = handle
    .selectFrom('deployments as this')
    .innerJoin('environments as here', 'here.id', 'this.environment_id')
    .innerJoin('environments as there', 'there.repository_id', 'here.repository_id')
    .innerJoin('deployments as other', 'other.environment_id', 'there.id')
    .select(['this.id as told_to', 'this.sha as wanted'])
    .select(['other.id', 'other.sha', 'other.authors', 'other.authors_asked'])
    .where('this.id', 'in', ids)
    .where('other.authors', 'is not', null)
  // Not one query with an "or": SQLite would look at everything that was ever deployed there.
  const rows = await told
    .whereRef('other.sha', '=', 'this.sha')
    .union(told.where(OTHER_DEPLOYED_THIS))
    .execute()
  return new Map([...Map.groupBy(rows, (row) => row.told_to)].map(([id, those]) => [id, authorshipIn(those)]))
}

interface Told {
  readonly id: number
  readonly sha: string
  readonly authors: string | null
  readonly authors_asked: number
  readonly wanted: string
}

function authorshipIn(told: readonly Told[]): Authorship {
  const oldestFirst = told.toSorted((one, other) => one.id - other.id)
  return {
    authors: [...new Set(oldestFirst.flatMap(({ authors }) => loginsIn(authors)))],
    areAuthorsKnown: told.some(({ sha, wanted, authors_asked: asked }) => sha === wanted && asked === 1),
  }
}

/** `Store.noteAuthors`. */
export const noteAuthors = (database: Kysely<Tables>, id: number, logins: readonly string[]): Promise<void> =>
  inTransaction(database, async (trx) => {
    const before = await trx
      .selectFrom('deployments')
      .select('authors')
      .where('id', '=', id)
      .executeTakeFirst()
    const all = new Set([...loginsIn(before?.authors ?? null), ...logins])
    await trx
      .updateTable('deployments')
      .set({ authors: JSON.stringify([...all]), authors_asked: 1 })
      .where('id', '=', id)
      .execute()
  })

const loginsIn = (list: string | null): string[] => (list === null ? [] : (JSON.parse(list) as string[]))
