import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'

/** The kernel could not tell, since we may open no more files: that nobody is seen does not mean that nobody is there. */
class NotTold extends Error {}

/** What stands in a file of /proc; undefined when there is none, or it is not for us. Throws `NotTold`. */
export const readProc = (path: string): string | undefined =>
  answerOf(() => readFileSync(`/proc/${path}`, 'latin1'))

/** All process ids; none on a system without /proc. Throws `NotTold`. */
export const pidsInProc = (): number[] =>
  (answerOf(() => readdirSync('/proc')) ?? []).filter((name) => /^\d+$/.test(name)).map(Number)

/** Asks again and again, until the kernel can tell. */
export async function told<T>(ask: () => T): Promise<T> {
  for (;;) {
    try {
      return ask()
    } catch (thrown) {
      if (!(thrown instanceof NotTold)) throw thrown
    }
    await pause(ASK_AGAIN_MS)
  }
}

const ASK_AGAIN_MS = 50

/**
 * Waits until the condition holds, looking often; answers whether it did within the time. A look takes time of its own,
 * and blocks everything else: it counts, and at least as long is left to others.
 */
export async function until(condition: () => boolean, withinMs: number, everyMs = 20): Promise<boolean> {
  const end = performance.now() + withinMs
  for (;;) {
    const begun = performance.now()
    if (holds(condition)) return true
    const now = performance.now()
    if (now >= end) return false
    await pause(Math.min(Math.max(everyMs, now - begun), end - now))
  }
}

/** What is not told is not known to hold. */
function holds(condition: () => boolean): boolean {
  try {
    return condition()
  } catch (thrown) {
    if (thrown instanceof NotTold) return false
    throw thrown
  }
}

function answerOf<T>(ask: () => T): T | undefined {
  try {
    return ask()
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code !== undefined && IN_NEED.has(code)) throw new NotTold(`/proc cannot be read: ${code}`, { cause })
    return undefined
  }
}

const IN_NEED: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOMEM'])
