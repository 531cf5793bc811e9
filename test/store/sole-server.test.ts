import { chmodSync, existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { afterEach, describe, expect, test } from 'vitest'

import { holdDataDirectory } from '../../src/store/sole-server.ts'
import { openStore } from '../../src/store/sql-store.ts'
import { temporaryFolder } from '../support/running.ts'

describe('the lock of a data directory', () => {
  const held: (() => void)[] = []
  const hold = (directory: string, onLost?: () => void): void => {
    held.push(holdDataDirectory(directory, onLost))
  }
  afterEach(() => {
    for (const release of held.splice(0)) release()
  })

  test('is held by one at a time, and free again afterwards', () => {
    const directory = temporaryFolder()
    hold(directory)

    expect(() => holdDataDirectory(directory)).toThrow(`Another Ferryman is already running on ${directory}.`)
    held.splice(0)[0]?.()
    expect(() => hold(directory)).not.toThrow()
  })

  test('is made anew when somebody deletes it', async () => {
    const directory = temporaryFolder()
    const file = join(directory, 'server.lock')
    hold(directory)

    rmSync(file)
    await expect.poll(() => existsSync(file), { timeout: 30_000 }).toBe(true)

    expect(() => holdDataDirectory(directory)).toThrow('Another Ferryman is already running')
  })

  test('is lost to whoever makes it anew first, who is told of', async () => {
    const directory = temporaryFolder()
    const lost = new Promise<void>((resolve) => hold(directory, resolve))

    rmSync(join(directory, 'server.lock'))
    hold(directory)

    await lost
  })

  test('says why a directory cannot be used', () => {
    const directory = join(temporaryFolder(), 'file')
    writeFileSync(directory, '')

    expect(() => holdDataDirectory(directory)).toThrow(`The data directory ${directory} cannot be used`)
  })
})

test('what is kept is for this user alone, also in a folder that others may look into', async () => {
  const directory = temporaryFolder()
  chmodSync(directory, 0o755)
  const open = async (): Promise<string[]> => {
    const release = holdDataDirectory(directory)
    const store = await openStore(join(directory, 'ferryman.sqlite'))
    await store.setting('a', () => 'b')
    const rights = readdirSync(directory)
      .toSorted()
      .map((name) => `${name} ${(statSync(join(directory, name)).mode & 0o777).toString(8)}`)
    await store.close()
    release()
    return rights
  }
  const rights = [
    '.writable 600',
    'ferryman.sqlite 600',
    'ferryman.sqlite-shm 600',
    'ferryman.sqlite-wal 600',
    'server.lock 600',
    'server.lock-journal 600',
  ]

  expect(await open()).toEqual(rights)
  for (const name of readdirSync(directory)) chmodSync(join(directory, name), 0o644) // as earlier versions left them
  expect(await open()).toEqual(rights)
})
