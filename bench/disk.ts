/* Called as a program it prints the median of fsync in ms, so that a slowed disk can be measured too. */
import { closeSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'

import { median } from './place.ts'

/** The median time of an fsync after 4 kB were appended, in ms. */
export function fsyncMs(folder: string, times = 100): number {
  const path = join(folder, `fsync-${process.pid}`)
  const file = openSync(path, 'w')
  const took: number[] = []
  for (let count = 0; count < times; count += 1) {
    writeSync(file, Buffer.alloc(4096))
    const from = performance.now()
    fsyncSync(file)
    took.push(performance.now() - from)
  }
  closeSync(file)
  rmSync(path)
  return median(took)
}

if (import.meta.main) process.stdout.write(`${fsyncMs(process.argv[2] ?? '.')}\n`)
