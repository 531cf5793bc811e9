import { expect, test } from 'vitest'

import { createChronicle } from '../../src/demo/chronicle.ts'

const chronicle = () => createChronicle<number>('number', (item) => `number ${item}`)

test('what has happened is found at once', async () => {
  const numbers = chronicle()
  numbers.add(1)
  numbers.add(2)

  expect(await numbers.waitFor((item) => item > 0)).toBe(1)
})

test('what happens later is waited for', async () => {
  const numbers = chronicle()

  const waiting = numbers.waitFor((item) => item > 1)
  numbers.add(1)
  numbers.add(2)

  expect(await waiting).toBe(2)
})

test('a wait that ends in vain says what did arrive', async () => {
  const numbers = chronicle()
  const nothing = numbers.waitFor((item) => item > 5, 1)
  await expect(nothing).rejects.toThrow('No number as expected within 1 ms; nothing arrived')
  numbers.add(1)
  numbers.add(2)

  const waiting = numbers.waitFor((item) => item > 5, 1)

  await expect(waiting).rejects.toThrow(
    'No number as expected within 1 ms; these arrived:\n  number 1\n  number 2',
  )
})

test('the end ends every wait', async () => {
  const numbers = chronicle()

  const waiting = numbers.waitFor(() => true)
  numbers.close()

  await expect(waiting).rejects.toThrow('No number as expected before the end; nothing arrived')
  await expect(numbers.waitFor(() => true)).rejects.toThrow('before the end')
})

test('a listener hears until it stops listening', () => {
  const numbers = chronicle()
  const heard: number[] = []

  const stop = numbers.listen((item) => heard.push(item))
  numbers.add(1)
  stop()
  numbers.add(2)

  expect(heard).toEqual([1])
})
