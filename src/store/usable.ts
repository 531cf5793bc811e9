/** Asks PostgreSQL something. */
type Ask = (statement: string) => Promise<{ readonly rows: readonly Facts[] }>

interface Facts {
  readonly encoding: string
  readonly folder: string | null
  readonly is_read_only: boolean
  readonly may_make: boolean | null
  readonly is_empty: boolean
}

const FACTS = `select current_setting('server_encoding') as encoding, current_schema() as folder,
  current_setting('transaction_read_only')::boolean as is_read_only,
  has_schema_privilege(current_schema(), 'create') as may_make,
  to_regclass('kysely_migration') is null as is_empty`

/** What a PostgreSQL that answers is to a server. */
interface Usable {
  /** What keeps a server from using it; undefined: nothing. */
  readonly missing: string | undefined
  /** There is nothing of a server in it yet. */
  readonly isEmpty: boolean
}

/** Looks at it. `isComplete`: all tables are there, and none has to be made. */
export async function lookAt(ask: Ask, isComplete: boolean): Promise<Usable> {
  const [facts] = (await ask(FACTS)).rows
  return { missing: whatIsMissing(facts, isComplete), isEmpty: facts?.is_empty === true }
}

function whatIsMissing(facts: Facts | undefined, isComplete: boolean): string | undefined {
  if (facts === undefined || facts.folder === null) return 'no schema of its search_path is there'
  if (facts.is_read_only) return 'it may only be read'
  // What GitHub sends, such as an emoji in a title, has no place in any other. ASCII is what PostgreSQL calls any bytes.
  if (!['UTF8', 'SQL_ASCII'].includes(facts.encoding))
    return `it is encoded as ${facts.encoding}, and not as UTF8`
  if (!isComplete && facts.may_make !== true)
    return `its user may make no tables in the schema ${facts.folder}`
  return undefined
}
