import type { Compilable, CompiledQuery, Insertable, Updateable } from 'kysely'

import type { Tables } from './schema.ts'
import type { Handle } from './transaction.ts'

/** A statement that is compiled at its first use with a database; after that only its values change. */
export function compiledOnce<Row>(
  build: (handle: Handle) => Compilable<Row>,
): (handle: Handle, ...values: readonly unknown[]) => Promise<readonly Row[]> {
  const compiledFor = keptFor((handle) => build(handle).compile())
  return async (handle, ...values) => {
    return (await handle.executeQuery<Row>({ ...compiledFor(handle), parameters: values })).rows
  }
}

/**
 * An update that sets other columns from time to time, compiled once for every choice of them. What it sets comes first
 * in the statement, and then the other values. None may be undefined.
 */
export function compiledUpdate<Table extends keyof Tables, Row>(
  build: (handle: Handle, set: Updateable<Tables[Table]>) => Compilable<Row>,
): (
  handle: Handle,
  set: Updateable<Tables[Table]>,
  ...values: readonly unknown[]
) => Promise<readonly Row[]> {
  const compiledFor = keptFor(() => new Map<string, CompiledQuery<Row>>())
  return async (handle, set, ...values) => {
    const compiled = compiledFor(handle)
    const columns = Object.keys(set).join()
    const query = compiled.get(columns) ?? build(handle, set).compile()
    compiled.set(columns, query)
    const parameters = [...Object.values(set), ...values]
    return (await handle.executeQuery<Row>({ ...query, parameters })).rows
  }
}

/**
 * An insert of many rows at a time, compiled once for each number of rows. Every row must name the same
 * columns, and none may be undefined. Answers what the statement returns, of all rows.
 */
export function compiledInsert<Table extends keyof Tables, Row>(
  build: (rows: readonly Insertable<Tables[Table]>[], handle: Handle) => Compilable<Row>,
): (handle: Handle, rows: readonly Insertable<Tables[Table]>[]) => Promise<readonly Row[]> {
  const compiledFor = keptFor(
    () => new Map<number, { query: CompiledQuery<Row>; columns: readonly string[] }>(),
  )
  return async (handle, rows) => {
    const compiled = compiledFor(handle)
    const answers: Row[] = []
    for (const some of parts(rows)) {
      const known = compiled.get(some.length)
      const { query, columns } = known ?? {
        query: build(some, handle).compile(),
        columns: Object.keys(some[0] ?? {}),
      }
      if (known === undefined) compiled.set(some.length, { query, columns })
      const parameters = some.flatMap((row) => columns.map((column): unknown => Reflect.get(row, column)))
      answers.push(...(await handle.executeQuery<Row>({ ...query, parameters })).rows)
    }
    return answers
  }
}

/** Keeps something for each database, whichever handle asks. */
function keptFor<Kept>(make: (handle: Handle) => Kept): (handle: Handle) => Kept {
  const kept = new WeakMap<object, Kept>()
  return (handle) => {
    const { adapter } = handle.getExecutor() // all handles of a database have it in common
    const known = kept.get(adapter) ?? make(handle)
    kept.set(adapter, known)
    return known
  }
}

const MOST_ROWS = 64

/** In powers of two, so that there are few statements to compile and to keep. */
function parts<Row>(rows: readonly Row[]): (readonly Row[])[] {
  const all: (readonly Row[])[] = []
  for (let from = 0; from < rows.length;) {
    const size = Math.min(MOST_ROWS, 2 ** Math.floor(Math.log2(rows.length - from)))
    all.push(rows.slice(from, from + size))
    from += size
  }
  return all
}
