import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import pg from 'pg'
import { inject } from 'vitest'

export interface TestDatabase {
  /** What `openStore` takes. */
  readonly address: string
  drop(): Promise<void>
}

/** Every kind of database, and whether there is none of it here. */
export const ENGINES = [
  { engine: 'sqlite', missing: false },
  { engine: 'postgres', missing: inject('postgres') === undefined },
] as const

/** An empty database of the kind, for one test. */
export const emptyDatabase = {
  sqlite(): Promise<TestDatabase> {
    const folder = mkdtempSync(join(tmpdir(), 'ferryman-sqlite-'))
    return Promise.resolve({
      address: join(folder, 'ferryman.sqlite'),
      drop: () => Promise.resolve(rmSync(folder, { recursive: true, force: true })),
    })
  },
  async postgres(): Promise<TestDatabase> {
    const server = inject('postgres') ?? ''
    const name = `test_${randomUUID().replaceAll('-', '')}`
    await onServer(server, `create database ${name}`)
    const address = new URL(server)
    address.pathname = `/${name}`
    return { address: address.href, drop: () => onServer(server, `drop database ${name} with (force)`) }
  },
} as const

async function onServer(address: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: address })
  await client.connect()
  await client.query(statement)
  await client.end()
}
