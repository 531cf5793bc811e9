import { expect, test } from 'vitest'

import { createLineWriter } from '../../src/logs/line-writer.ts'

test('what comes in one moment is written in one, in its order', async () => {
  const { written, lines } = collecting()
  for (const line of ['one\n', 'two\n', 'three\n']) lines.write(line)
  expect(written).toEqual([])
  await Promise.resolve()
  expect(written).toEqual(['one\ntwo\nthree\n'])
  lines.write('four\n')
  await Promise.resolve()
  expect(written).toEqual(['one\ntwo\nthree\n', 'four\n'])
})

test('who ends has everything written at once, and nothing twice', async () => {
  const { written, lines } = collecting()
  lines.write('last words\n')
  lines.flush()
  lines.flush()
  await Promise.resolve()
  expect(written).toEqual(['last words\n'])
})

test('where nobody reads, no more than some megabytes wait, and how many lines were lost is said', () => {
  const { written, read, lines } = collecting()
  for (let index = 0; index < 20; index++) {
    lines.write(`${index}${'.'.repeat(1_000_000)}\n`)
    lines.flush()
  }
  expect(written).toHaveLength(9)
  read()
  lines.write('again\n')
  lines.write('and again\n')
  lines.flush()
  expect(written.slice(9)).toEqual(['11 lost\nagain\nand again\n'])
})

function collecting() {
  const written: string[] = []
  let unread = 0
  const lines = createLineWriter({
    write(text) {
      written.push(text)
      unread += text.length
    },
    waiting: () => unread,
    onLost: (count) => lines.write(`${count} lost\n`),
  })
  return { written, lines, read: () => void (unread = 0) }
}
