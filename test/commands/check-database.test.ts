import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import pg from 'pg'
import { expect, inject, onTestFinished, test } from 'vitest'

import { checkDatabase } from '../../src/commands/check-database.ts'
import { openStore } from '../../src/store/sql-store.ts'
import { temporaryFolder } from '../support/running.ts'
import { emptyDatabase } from '../support/stores.ts'

const LATER = "insert into kysely_migration (name, timestamp) values ('9999-later', '')"

/** What `check` says of a database in an own data directory, which stands there as /data. */
function somewhere() {
  const dataDir = temporaryFolder()
  const file = join(dataDir, 'ferryman.sqlite')
  return {
    dataDir,
    file,
    open: () => openStore(file),
    change(sql: string) {
      const database = new DatabaseSync(file)
      database.exec(sql)
      database.close()
    },
    async check() {
      const { mark, text } = await checkDatabase({ database: undefined, dataDir })
      return `${mark}: ${text.replaceAll(dataDir, '/data')}`
    },
  }
}

test('a database that is not there yet is fine, and is not made', async () => {
  const { dataDir, check } = somewhere()

  expect(await check()).toBe('fine: database /data/ferryman.sqlite (will be made)')
  expect(readdirSync(dataDir)).toEqual([])
})

test('one that a server uses is fine, and so it is afterwards; no file is made or changed', async () => {
  const { dataDir, file, open, check } = somewhere()
  const store = await open()
  await store.setting('log_link_key', () => 'a')
  const isUsed = await check()
  await store.close()
  const before = { names: readdirSync(dataDir), content: readFileSync(file) }

  expect([isUsed, await check()]).toEqual(Array(2).fill('fine: database /data/ferryman.sqlite'))
  expect({ names: readdirSync(dataDir), content: readFileSync(file) }).toEqual(before)
})

test('one that another process keeps to itself is doubtful', async () => {
  const { file, open, check } = somewhere()
  await (await open()).close()
  const other = new DatabaseSync(file)
  other.exec('pragma locking_mode = exclusive; begin exclusive; delete from settings')

  expect(await check()).toBe('doubtful: database /data/ferryman.sqlite: another process holds it just now')
  other.close()
})

test('one that cannot even be looked for, as in a folder that is closed to this user, is wrong', async () => {
  const { file, check } = somewhere()
  symlinkSync(file, file)

  expect(await check()).toBe(
    "wrong: database: The database /data/ferryman.sqlite cannot be used: ELOOP: too many symbolic links encountered, stat '/data/ferryman.sqlite'.",
  )
})

test('one of a newer version, with damage, or missing beside its logs is wrong', async () => {
  const { dataDir, file, open, change, check } = somewhere()
  await (await open()).close()

  change(LATER)
  expect(await check()).toBe('wrong: database: The database was written by a newer Ferryman (9999-later).')
  const pages = readFileSync(file)
  writeFileSync(file, pages.fill(0xa5, 2 * 4_096, 3 * 4_096))
  expect(await check()).toMatch(/^wrong: database: The database \/data\/ferryman\.sqlite is damaged: [\w ]+/)
  rmSync(file)
  mkdirSync(join(dataDir, 'logs/1'), { recursive: true })
  expect(await check()).toBe(
    'wrong: database: There are logs of deployments in /data/logs, but /data/ferryman.sqlite, which knows what they are, is missing or empty.',
  )
})

test('one whose first start was cut short is fine', async () => {
  const { change, check } = somewhere()
  change('pragma journal_mode = wal')

  expect(await check()).toBe('fine: database /data/ferryman.sqlite')
})

test.skipIf(inject('postgres') === undefined)('an empty PostgreSQL beside logs is wrong', async () => {
  const database = await emptyDatabase.postgres()
  onTestFinished(database.drop)
  const dataDir = temporaryFolder()
  const check = async () => (await checkDatabase({ database: database.address, dataDir })).text
  mkdirSync(join(dataDir, 'logs/1'), { recursive: true })

  expect(await check()).toBe(
    `database: There are logs of deployments in ${dataDir}/logs, but ${database.address.replace(/\/\/.*@/, '//')}, which knows what they are, is missing or empty.`,
  )
  await (await openStore(database.address)).close()
  expect(await check()).toMatch(/^database: PostgreSQL \d.* answers$/)
})

test.skipIf(inject('postgres') === undefined)('a PostgreSQL of a newer version is wrong', async () => {
  const database = await emptyDatabase.postgres()
  onTestFinished(database.drop)
  const check = async () => (await checkDatabase({ database: database.address, dataDir: '/nowhere' })).text
  expect(await check()).toMatch(/^database: PostgreSQL \d.* answers$/)
  await (await openStore(database.address)).close()
  expect(await check()).toMatch(/^database: PostgreSQL \d.* answers$/)
  const client = new pg.Client({ connectionString: database.address })
  await client.connect()
  await client.query(LATER)
  await client.end()

  expect(await check()).toBe('database: The database was written by a newer Ferryman (9999-later).')
})
