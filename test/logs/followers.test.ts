import { expect, test } from 'vitest'

import { createFollowers } from '../../src/logs/followers.ts'
import { createSharedReads } from '../../src/logs/shared-reads.ts'
import { createTurns } from '../../src/logs/turns.ts'

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const never = new AbortController().signal

test('one follower is told at once, each time', async () => {
  const followers = createFollowers()

  for (let times = 0; times < 100; times += 1) {
    const told = followers.more(never)
    followers.tell()
    await told
  }
})

test('many are told together, and less often', async () => {
  const followers = createFollowers()
  let told = 0
  const follow = async (): Promise<void> => {
    for (;;) {
      await followers.more(never)
      told += 1
    }
  }
  for (let count = 0; count < 1_000; count += 1) void follow()

  for (let lines = 0; lines < 100; lines += 1) {
    followers.tell()
    await Promise.resolve()
  }

  expect(told).toBe(1_000)
  followers.tellAll()
  await nextTurn()
  expect(told).toBe(2_000)
})

test('whoever goes away is not waited for', async () => {
  const followers = createFollowers()
  const leaving = new AbortController()

  const gone = followers.more(leaving.signal)
  leaving.abort()

  await gone
  await followers.more(leaving.signal)
})

test('what many want is read once, also when it comes later; what cannot be read is asked for again', async () => {
  const shared = createSharedReads<string>(2, () => true)
  let reads = 0
  const read = async (): Promise<string> => `read ${(reads += 1)}`

  expect(await Promise.all([shared('a', read), shared('a', read)])).toEqual(['read 1', 'read 1'])
  await expect(shared('b', () => Promise.reject(new Error('gone')))).rejects.toThrow('gone')
  expect(await shared('b', read)).toBe('read 2')
  expect(await shared('c', read)).toBe('read 3')
  expect(await shared('a', read)).toBe('read 4')
})

test('what may be read otherwise later is read once at the same time, and again later', async () => {
  const shared = createSharedReads<string>(2, (piece) => piece !== 'nothing yet')
  const early = async (): Promise<string> => 'nothing yet'

  expect(await Promise.all([shared('a', early), shared('a', fail)])).toEqual(['nothing yet', 'nothing yet'])
  expect(await shared('a', async () => 'something')).toBe('something')
  expect(await shared('a', fail)).toBe('something')
})

const fail = (): Promise<string> => Promise.reject(new Error('it was read again'))

test('so many go in one turn of the event loop, the others in the next ones, in order', async () => {
  const turns = createTurns(2)
  const gone: number[] = []
  const go = (number: number): Promise<unknown> => turns().then(() => gone.push(number))

  for (const number of [1, 2, 3, 4, 5]) void go(number)
  await Promise.resolve()

  expect(gone).toEqual([1, 2])
  await nextTurn()
  expect(gone).toEqual([1, 2, 3, 4])
  await nextTurn()
  expect(gone).toEqual([1, 2, 3, 4, 5])
})
