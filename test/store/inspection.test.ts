import { once } from 'node:events'
import { closeSync, copyFileSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Worker } from 'node:worker_threads'

import { expect, onTestFinished, test } from 'vitest'

import { inspectSqlite } from '../../src/store/inspection.ts'
import { temporaryFolder } from '../support/running.ts'

const PAGE = 512

/**
 * A database as it is while a server carries its log of changes over: one page of the file is half written, and the
 * log, which lies at `hidden` for now, has it whole. SQLite reads much before it comes to that page: it looks at the
 * newest table first.
 */
function inTheMidstOfACheckpoint(): { readonly file: string; readonly log: string; readonly hidden: string } {
  const folder = temporaryFolder()
  const [live, file] = [join(folder, 'live.sqlite'), join(folder, 'ferryman.sqlite')]
  const database = new DatabaseSync(live)
  database.exec(`pragma page_size = ${PAGE}; pragma journal_mode = off; pragma synchronous = off;
    create table changed (x);
    create table large (x);
    insert into large values (zeroblob(50000000));
    insert into changed values ('old');
    pragma journal_mode = wal;
    update changed set x = 'new'`)
  const schema = database.prepare("select rootpage from sqlite_schema where name = 'changed'")
  const { rootpage } = schema.get() as { rootpage: number }
  copyFileSync(live, file)
  copyFileSync(`${live}-wal`, `${file}-hidden`)
  database.close()
  const opened = openSync(file, 'r+')
  writeSync(opened, Buffer.alloc(PAGE, 0xa5), 0, PAGE, (rootpage - 1) * PAGE)
  closeSync(opened)
  return { file, log: `${file}-wal`, hidden: `${file}-hidden` }
}

/** Puts the log in its place as soon as somebody in this process has opened the file. */
const SERVER_THAT_STARTS = `
const { readdirSync, readlinkSync, renameSync } = require('node:fs')
const { parentPort, workerData: { file, log, hidden } } = require('node:worker_threads')
const pathOf = (open) => { try { return readlinkSync('/proc/self/fd/' + open) } catch {} }
parentPort.postMessage('looks')
while (!readdirSync('/proc/self/fd').some((open) => pathOf(open) === file));
renameSync(hidden, log)
`

test('what a server that starts meanwhile changes is no damage', async () => {
  const there = inTheMidstOfACheckpoint()
  await expect(inspectSqlite(there.file)).rejects.toMatchObject({ code: 'database_damaged' }) // without its log

  const server = new Worker(SERVER_THAT_STARTS, { eval: true, workerData: there })
  onTestFinished(async () => void (await server.terminate()))
  await once(server, 'message')

  expect(await inspectSqlite(there.file)).toBe('sound')
})
