import pg from 'pg'
import { describe, expect, inject, onTestFinished, test } from 'vitest'

import { checkDatabase } from '../../src/commands/check-database.ts'
import { openStore } from '../../src/store/sql-store.ts'
import { emptyDatabase } from '../support/stores.ts'

describe.skipIf(inject('postgres') === undefined)('a PostgreSQL that answers', () => {
  /** What the start and `ferryman check` say of a database. */
  async function said(address: string): Promise<readonly [start: string, check: string]> {
    const start = await openStore(address).then(
      (store) => store.close().then(() => 'it starts'),
      (thrown: unknown) => (thrown instanceof Error ? thrown.message : String(thrown)),
    )
    return [start, (await checkDatabase({ database: address, dataDir: '/nowhere' })).text]
  }
  const asAdmin = async (statement: string, address = inject('postgres') ?? ''): Promise<void> => {
    const admin = new pg.Client({ connectionString: address })
    await admin.connect()
    await admin.query(statement)
    await admin.end()
  }
  const makeOnlooker = (): Promise<void> =>
    asAdmin('do $$ begin create role looks_on login; exception when duplicate_object then null; end $$')

  async function made(change: (address: URL, name: string) => unknown): Promise<URL> {
    const { address, drop } = await emptyDatabase.postgres()
    onTestFinished(drop)
    const url = new URL(address)
    await change(url, url.pathname.slice(1))
    return url
  }

  test.each([
    [
      'to a user who may make no tables',
      'its user may make no tables in the schema public',
      async (url: URL) => {
        url.username = 'looks_on'
        await makeOnlooker()
      },
    ],
    [
      'for a schema that is not there',
      'no schema of its search_path is there',
      (url: URL) => url.searchParams.set('options', '-c search_path=nowhere'),
    ],
    [
      'and may only be read',
      'it may only be read',
      (_: URL, name: string) => asAdmin(`alter database ${name} set default_transaction_read_only = on`),
    ],
    [
      'and takes no emoji',
      'it is encoded as LATIN1, and not as UTF8',
      async (_: URL, name: string) => {
        await asAdmin(`drop database ${name}`)
        await asAdmin(`create database ${name} encoding latin1 template template0`)
      },
    ],
  ])('%s is refused by the start, and by check', async (_, cause, change) => {
    const { href, host, pathname } = await made(change)

    const message = `The database postgres://${host}${pathname} answers, but cannot be used: ${cause}.`
    expect(await said(href)).toEqual([message, `database: ${message}`])
  })

  test('by a certificate that is not there is reached by neither', async () => {
    const { href } = await made((url) => url.searchParams.set('sslrootcert', '/nowhere/ca.pem'))

    const [start, check] = await said(href)

    expect(start).toContain("no such file or directory, open '/nowhere/ca.pem'")
    expect(check).toBe(`database: ${start}`)
  })

  test('to a user who may make no tables is used where none has to be made', async () => {
    const url = await made(async (address) => {
      await (await openStore(address.href)).close()
      await makeOnlooker()
      await asAdmin('grant all on all tables in schema public to looks_on', address.href)
      address.username = 'looks_on'
    })

    const [start, check] = await said(url.href)

    expect(start).toBe('it starts')
    expect(check).toMatch(/^database: PostgreSQL [\d.]+.* answers$/)
  })
})
