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

function collecting() {
  const written: string[] = []
  return { written, lines: createLineWriter((text) => void written.push(text)) }
}
