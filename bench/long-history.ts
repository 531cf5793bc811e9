import { DatabaseSync } from 'node:sqlite'

export interface History {
  /** With the one that is there. */
  readonly deployments: number
  /** Among which half of them are spread; the one that is there has the other half. */
  readonly repositories: number
}

/** So far apart are the ids of what is copied. */
const APART = 10_000_000

/** Copies the one deployment that is in the database, with all that belongs to it, until there are so many. */
export function growHistory(path: string, { deployments, repositories }: History): void {
  const database = new DatabaseSync(path)
  database.exec(`pragma synchronous = off; begin;
    create temp table numbers as with recursive n(i) as (
      select 1 union all select i + 1 from n where i < ${deployments - 1}) select i from n`)
  const others = `i < ${repositories}`
  const id = `id + i * ${APART}`
  copy(database, 'repositories', others, {
    id,
    name: "name || '-' || i",
    configured_as: "configured_as || '-' || i",
    github_id: 'github_id + i',
  })
  copy(database, 'environments', others, { id, repository_id: `repository_id + i * ${APART}` })
  const which = repositories === 1 ? '0' : `iif(i % 2 = 0, 0, 1 + i / 2 % ${repositories - 1})`
  const named = (column: string) => `${column} || iif(${which} = 0, '', '-' || (${which}))`
  copy(database, 'deliveries', 'true', { id, key: "key || '-' || i", guid: "guid || '-' || i" })
  copy(database, 'deployments', 'true', {
    id,
    environment_id: `environment_id + ${which} * ${APART}`,
    repository: named('repository'),
    configured_as: named('configured_as'),
    number: 'number + i',
    github_id: '-i',
    delivery_id: `delivery_id + i * ${APART}`,
    sha: "printf('%040x', i)",
    state: "'succeeded'",
    reason: 'null',
    detail: 'null',
    end_order: 'i',
  })
  copy(database, 'events', 'true', { id, deployment_id: `deployment_id + i * ${APART}` })
  copy(database, 'reports', 'true', {
    id,
    deployment_id: `deployment_id + i * ${APART}`,
    state: "'delivered'",
  })
  database.exec(`update environments set next_number = next_number + ${deployments}; commit`)
  database.close()
}

function copy(
  database: DatabaseSync,
  table: string,
  where: string,
  changed: Readonly<Record<string, string>>,
): void {
  const columns = database
    .prepare(`select name from pragma_table_info('${table}')`)
    .all()
    .map(({ name }) => String(name))
  const values = columns.map((column) => changed[column] ?? column)
  database.exec(
    `insert into ${table} (${columns.join(', ')}) select ${values.join(', ')} from ${table}, numbers where ${where}`,
  )
}
