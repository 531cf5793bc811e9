import { expect, test } from 'vitest'

import { chunkRoom, prepended } from '../../src/logs/chunk-memory.ts'

test('what was kept back is put before a chunk where that is', () => {
  const chunk = chunkRoom().subarray(0, 10)
  chunk.write('0123456789')

  const joined = prepended(Buffer.from('kept '), chunk)

  expect(joined?.toString()).toBe('kept 0123456789')
  expect(joined?.subarray(5).buffer).toBe(chunk.buffer)
})

test('what does not fit before it, and what is no chunk, is joined elsewhere', () => {
  expect(prepended(Buffer.alloc(4_097), chunkRoom())).toBeUndefined()
  expect(prepended(Buffer.from('kept'), chunkRoom().subarray(1))).toBeUndefined()
  expect(prepended(Buffer.from('kept'), Buffer.from('chunk'))).toBeUndefined()
})
