import { expect, test } from 'vitest'

import { createLiveLog } from '../../src/logs/live-log.ts'
import { createMasker } from '../../src/logs/redact.ts'

test('what is written waits for the reader, and no longer when it has to end', async () => {
  const ending = new AbortController()
  const shown: string[] = []
  let hasRoom = Promise.withResolvers<void>()
  const log = createLiveLog({
    masker: createMasker([]),
    ending: ending.signal,
    show(bytes) {
      shown.push(bytes.toString())
      return hasRoom.promise
    },
  })
  let isWritten = false

  const writing = Promise.resolve(log.write(Buffer.from('one\n'))).then(() => (isWritten = true))
  await new Promise(setImmediate)
  expect(isWritten).toBe(false)
  hasRoom.resolve()
  await writing

  hasRoom = Promise.withResolvers()
  const stalled = log.write(Buffer.from('two\n'))
  ending.abort()
  await stalled
  await log.line('It ends.')
  await log.close()

  expect(shown).toEqual(['one\n', 'two\n', '▸ It ends.\n'])
})
