import { execFileSync } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { once } from 'node:events'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { createMasker } from '../../src/logs/redact.ts'
import { openPipe } from '../../src/run/pipe.ts'
import { temporaryFolder } from '../support/running.ts'

test('many pipes are read at once, and none takes anything of another', async () => {
  const folder = temporaryFolder()
  const masker = createMasker([])
  const pipes = await Promise.all(
    ['a', 'b', 'c'].map(async (letter) => {
      const path = join(folder, letter)
      execFileSync('mkfifo', [path])
      const pipe = openPipe(path)
      const read: Buffer[] = []
      const stream = masker.stream()
      // A line that ends with the beginning of a token is kept back, and joined with the next chunk.
      const text = Buffer.from(`${letter.repeat(70)} gh`.repeat(20_000))
      const written = createWriteStream(path)
      const pouring = pipe.pour((chunk) => void read.push(Buffer.from(stream.push(chunk))))
      written.write(text)
      written.end()
      await once(written, 'close')
      await pouring
      return { read: Buffer.concat([...read, stream.flush()]), text }
    }),
  )

  for (const { read, text } of pipes) expect(read.equals(text)).toBe(true)
})
