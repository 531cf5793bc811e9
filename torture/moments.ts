import { readFileSync, statSync, watch } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'

import type { Moment } from './plan.ts'
import type { Server } from './server.ts'
import type { World } from './world.ts'

/** Resolves at the moment, or when it does not come in time, or when the server has ended without us. */
export async function arrival(moment: Moment, world: World, server: Server, withinMs: number): Promise<void> {
  const done = new AbortController()
  const limit = pause(withinMs, undefined, { signal: done.signal }).catch(() => {})
  await Promise.race([happens(moment, world, server, done.signal), limit, server.ended])
  done.abort()
}

async function happens(moment: Moment, world: World, server: Server, done: AbortSignal): Promise<unknown> {
  switch (moment.kind) {
    case 'time':
      return pause(moment.ms)
    case 'delivered':
    case 'answering':
      return times(moment.count, done, (tell) =>
        world.line.onProgress((progress) => progress === moment.kind && tell()),
      )
    case 'event':
      return times(moment.count, done, (tell) => server.onEvent((event) => event === moment.event && tell()))
    case 'start':
    case 'end':
      return times(moment.count, done, (tell) =>
        onLine(world.journalFile, (line) => line.startsWith(moment.kind) && tell()),
      )
    case 'asked':
    case 'done': {
      await pause(moment.afterMs)
      const before = moment.kind === 'asked' ? 'doing' : 'answer'
      // The gate stays closed until the server is dead and the doubles are mended.
      return world.github
        .hold({ method: 'POST', path: moment.path, before })
        .arrived()
        .catch(() => {})
    }
    case 'disk':
      return server.ended // who counts ends it
    default:
      return moment satisfies never
  }
}

/** Resolves when it was told so many times; whoever tells hears whether that was the last. */
function times(count: number, done: AbortSignal, listen: (tell: () => boolean) => () => void): Promise<void> {
  return new Promise((resolve) => {
    let left = count
    const end = listen(() => {
      left -= 1
      if (left === 0) resolve()
      return left === 0
    })
    done.addEventListener('abort', end, { once: true })
  })
}

/** Calls the listener with every line that is added to the file from now on. */
export function onLine(file: string, listener: (line: string) => void): () => void {
  let read = statSync(file).size
  const watcher = watch(file, () => {
    const fresh = readFileSync(file).subarray(read)
    const end = fresh.lastIndexOf(0x0a) + 1
    read += end
    for (const line of fresh.subarray(0, end).toString().split('\n').slice(0, -1)) listener(line)
  })
  return () => watcher.close()
}
