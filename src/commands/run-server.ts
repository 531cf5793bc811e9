import { flushCompileCache } from 'node:module'
import { setTimeout as pause } from 'node:timers/promises'

import { startApp } from '../app.ts'
import { findConfig, loadConfig } from '../config/load.ts'
import type { Overrides } from '../config/overrides.ts'
import { watchConfig } from '../config/reload.ts'
import { FerrymanError, messageOf } from '../errors.ts'
import { createJournal } from '../logs/journal.ts'
import { createLineWriter } from '../logs/line-writer.ts'
import { createMasker } from '../logs/redact.ts'
import { version } from '../version.ts'

export interface ServerOptions {
  readonly config: string | undefined
  readonly json: boolean
  readonly overrides: Overrides
  /** How long what runs may take to end by itself when the server has to. */
  readonly graceMs: number
}

const ECHO_MS = 1_000
const LAST_WORDS_MS = 1_000
/** By then a start is over, and what it left open is looked after. */
const SETTLED_MS = 10_000

/** Runs the server until a signal ends it; answers the exit code. Problems of the start are thrown. */
export async function runServer(options: ServerOptions): Promise<number> {
  const environment = process.env
  const file = findConfig({ flag: options.config, environment, cwd: process.cwd() })
  const config = loadConfig(file, { environment, overrides: options.overrides })
  const masker = createMasker(config.secrets)
  const lines = createLineWriter({
    write: (text) => void process.stdout.write(text),
    waiting: () => process.stdout.writableLength,
    onLost: (count) => journal.warn('journal:lost', { lines: count, why: 'nobody read them' }),
  })
  process.on('exit', lines.flush)
  const journal = createJournal({
    write: lines.write,
    masker,
    clock: Date.now,
    pretty: process.stdout.isTTY && !options.json,
    colour: process.stdout.isTTY && process.stdout.hasColors(),
  })
  // Whoever reads our log may go away; the work must not end with it.
  process.stdout.removeAllListeners('error')
  process.stdout.on('error', () => {})
  for (const warning of config.warnings) journal.warn('config:doubtful', { warning })

  // Node would print it as it is. What runs is ended by the guard; the next start says so.
  process.on('uncaughtException', (error) => {
    journal.error('server:broken', { error })
    process.exit(1)
  })
  const signals = catchSignals() // from here on: a signal during the start counts as well
  let exitCode = 0
  const onLockLost = (): void => {
    journal.error('database:lock-lost', { hint: 'Another Ferryman has taken the database; this one ends.' })
    exitCode = 1
    signals.end()
  }
  let wasAskedEarly = false
  let reload = async (): Promise<void> => {
    wasAskedEarly = true // there is nothing to reload yet, but much may have been tried in vain already
  }
  process.on('SIGHUP', () => void reload())
  const app = await startApp(config, {
    environment,
    clock: Date.now,
    journal,
    masker,
    version,
    onLockLost,
  }).catch((cause: unknown) => {
    if (cause instanceof FerrymanError) throw cause.masked(masker.mask)
    journal.error('server:not-started', { error: cause })
    throw new Error(masker.mask(messageOf(cause)))
  })
  const watch = watchConfig({
    file,
    environment,
    overrides: options.overrides,
    current: config,
    onConfig: async (next, notes) => {
      await app.reload(next)
      journal.info('config:reloaded', { config: file })
      for (const note of notes) journal.warn('config:doubtful', { warning: note })
    },
    onSame: () => journal.info('config:unchanged', { config: file }),
    onProblem: (problem) => journal.error('config:refused', { error: problem }),
  })
  reload = async () => {
    await watch.reload()
    app.again() // what was mended may be elsewhere: a right at GitHub, say
  }
  if (wasAskedEarly) void reload()
  // Otherwise what was compiled is kept when Node ends, which a second signal or kill -9 does not wait for.
  flushCompileCache()
  setTimeout(compactMemory, SETTLED_MS).unref()
  await signals.first
  watch.stop()
  void signals.second.then(app.hurry)
  await app.stop(exitCode === 0 ? options.graceMs : 0)
  lines.flush()
  if (!(await isRead())) process.exit(exitCode) // Node would wait for the reader for ever
  return exitCode
}

/** Whether somebody has read all that we wrote; answers in a second at most. */
async function isRead(): Promise<boolean> {
  const over = new AbortController()
  const read = new Promise<true>((resolve) => process.stdout.write('', () => resolve(true)))
  const late = pause(LAST_WORDS_MS, false, { signal: over.signal }).catch(() => false)
  const answer = await Promise.race([read, late])
  over.abort()
  return answer
}

/**
 * Gives back what the start took and needs no longer, in a tenth of a second: a seventh of the memory of a server that waits,
 * which V8 keeps otherwise, since what is in use is scattered over it. bin/ferryman makes `gc` known.
 */
const compactMemory = (): void => globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' })

/** Resolve with the first and the second signal that asks for an end. The second waits for nothing. */
function catchSignals(): { readonly first: Promise<void>; readonly second: Promise<void>; end(): void } {
  const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  let earlier: { signal: NodeJS.Signals; at: number } | undefined
  // npm hands a terminal's Ctrl-C on a second time: the same signal counts again only after a second.
  const onSignal = (signal: NodeJS.Signals): void => {
    if (earlier === undefined) {
      earlier = { signal, at: performance.now() }
      first.resolve()
    } else if (signal !== earlier.signal || performance.now() - earlier.at > ECHO_MS) second.resolve()
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  return { first: first.promise, second: second.promise, end: first.resolve }
}
