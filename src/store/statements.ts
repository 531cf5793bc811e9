import type { Compilable, CompiledQuery, Insertable } from 'kysely'

import type { Tables } from './schema.ts'
import type { Handle } from './transaction.ts'

/** A statement that is compiled at its first use; after that only its values change. */
export function compiledOnce<Row>(
  build: () => Compilable<Row>,
): (handle: Handle, ...values: readonly unknown[]) => Promise<readonly Row[]> {
  let compiled: CompiledQuery<Row> | undefined
  return async (handle, ...values) => {
    compiled ??= build().compile()
    return (await handle.executeQuery<Row>({ ...compiled, parameters: values })).rows
  }
}

/**
 * An insert of many rows at a time, compiled once for each number of rows. Every row must name the same
 * columns, and none may be undefined. Answers what the statement returns, of all rows.
 */
export function compiledInsert<Table extends keyof Tables, Row>(
  build: (rows: readonly Insertable<Tables[Table]>[]) => Compilable<Row>,
): (handle: Handle, rows: readonly Insertable<Tables[Table]>[]) => Promise<readonly Row[]> {
  const compiled = new Map<number, { query: CompiledQuery<Row>; columns: readonly string[] }>()
  return async (handle, rows) => {
    const answers: Row[] = []
    for (const some of parts(rows)) {
      const known = compiled.get(some.length)
      const { query, columns } = known ?? {
        query: build(some).compile(),
        columns: Object.keys(some[0] ?? {}),
      }
      if (known === undefined) compiled.set(some.length, { query, columns })
      const parameters = some.flatMap((row) => columns.map((column): unknown => Reflect.get(row, column)))
      answers.push(...(await handle.executeQuery<Row>({ ...query, parameters })).rows)
    }
    return answers
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
