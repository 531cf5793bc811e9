import { expect, test } from 'vitest'

import { createGroupCommit } from '../../src/store/group-commit.ts'

const nextTurn = () => new Promise(setImmediate)
const never = { isOfOneItem: () => false }

test('what arrives in one turn, and during a write, is written as one group', async () => {
  const groups: number[][] = []
  const commit = createGroupCommit(async (items: readonly number[]) => {
    groups.push([...items])
    await Promise.resolve()
    return items.map((item) => item * 10)
  }, never)

  const answers = await Promise.all([1, 2, 3].map(commit))
  const later = commit(4)

  expect(answers).toEqual([10, 20, 30])
  expect(await later).toBe(40)
  expect(groups).toEqual([[1, 2, 3], [4]])
})

test('while others keep coming a group waits for them, and no longer', async () => {
  const groups: number[][] = []
  const commit = createGroupCommit((items: readonly number[]) => {
    groups.push([...items])
    return Promise.resolve(items)
  }, never)

  const many = [commit(1), commit(2)]
  await nextTurn()
  await Promise.all([...many, commit(3)])
  await nextTurn()
  const one = commit(4)
  await nextTurn()
  await Promise.all([one, commit(5)])

  expect(groups).toEqual([[1, 2, 3], [4], [5]])
})

test('where others come without end, those who have waited for some milliseconds are written', async () => {
  const groups: number[] = []
  const commit = createGroupCommit(
    (items: readonly number[]) => {
      groups.push(items.length)
      return Promise.resolve(items)
    },
    { ...never, most: Infinity },
  )

  const answers: Promise<number>[] = []
  while (groups.length === 0) {
    answers.push(commit(1), commit(2))
    await nextTurn()
  }

  expect(await Promise.all(answers)).toHaveLength(answers.length)
  expect(groups[0]).toBeGreaterThan(2)
})

test('a group holds no more than the most', async () => {
  const sizes: number[] = []
  const commit = createGroupCommit(
    (items: readonly number[]) => {
      sizes.push(items.length)
      return Promise.resolve(items)
    },
    { ...never, most: 4 },
  )

  const answers = await Promise.all(Array.from({ length: 10 }, (_, index) => commit(index)))

  expect(answers).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  expect(sizes).toEqual([4, 4, 2])
})

test('one that cannot be written fails alone', async () => {
  const commit = createGroupCommit(
    (items: readonly string[]) =>
      items.includes('bad') ? Promise.reject(new Error('no')) : Promise.resolve(items),
    { isOfOneItem: () => true },
  )

  const answers = await Promise.allSettled(['a', 'bad', 'b'].map(commit))

  expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
})

test('when nothing can be written, everybody hears it after one attempt', async () => {
  let attempts = 0
  const commit = createGroupCommit(() => {
    attempts += 1
    return Promise.reject(new Error('the disk is gone'))
  }, never)

  const answers = await Promise.allSettled([1, 2, 3].map(commit))

  expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
  expect(attempts).toBe(1)
})
