import { sql, type Kysely } from 'kysely'

import type { Judged } from './store.ts'
import type { Tables } from './schema.ts'
import { inTransaction, type Handle } from './transaction.ts'

/** Whose change a commit is. */
export interface Authorship {
  readonly authors: readonly string[]
  /** Whether GitHub has been asked. */
  readonly areAuthorsKnown: boolean
}

/**
 * What any deployment of the commit in the repository has told: whoever deploys it again, those who made it stay the
 * same. One that put another commit in place has told of both.
 */
export async function authorsOf(handle: Handle, { id, sha }: Judged): Promise<Authorship> {
  const told = handle
    .selectFrom('deployments as this')
    .innerJoin('environments as here', 'here.id', 'this.environment_id')
    .innerJoin('environments as there', 'there.repository_id', 'here.repository_id')
    .innerJoin('deployments as other', 'other.environment_id', 'there.id')
    .select(['other.id', 'other.sha', 'other.authors', 'other.authors_asked'])
    .where('this.id', '=', id)
    .where('other.authors', 'is not', null)
  // Not one query with an "or": SQLite would look at everything that was ever deployed there.
  const rows = await told
    .where('other.sha', '=', sha)
    .union(told.where(sql`coalesce(other.deployed_sha, other.sha)`, '=', sha))
    .execute()
  const oldestFirst = rows.toSorted((one, other) => one.id - other.id)
  return {
    authors: [...new Set(oldestFirst.flatMap(({ authors }) => loginsIn(authors)))],
    areAuthorsKnown: rows.some((row) => row.sha === sha && row.authors_asked === 1),
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
