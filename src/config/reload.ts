import { stat } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'

import { messageOf } from '../errors.ts'
import type { Config } from './config.ts'
import { loadConfig, type LoadOptions } from './load.ts'

export interface WatchOptions extends LoadOptions {
  /** Absolute path. */
  readonly file: string
  /** The configuration in force. */
  readonly current: Config
  /** A new configuration is to be used; `notes` say what of it needs a restart, and what is doubtful. */
  readonly onConfig: (config: Config, notes: readonly string[]) => void | Promise<void>
  /** The file means what is in force: told to whoever asked, and where the last word was that it cannot be used. */
  readonly onSame: () => void
  /**
   * The file cannot be used; what was in force stays so. Also told what `onConfig` throws, which has to have changed
   * nothing then: it is called again until it takes what the file says.
   */
  readonly onProblem: (problem: unknown) => void
  /** How often the file is looked at; a change counts when it was seen twice. */
  readonly intervalMs?: number
}

export interface ConfigWatch {
  /** Reads the file now, with all that it refers to, and says again what is wrong with it. */
  readonly reload: () => Promise<void>
  readonly stop: () => void
}

/** Follows the file, also when another takes its name. A wrong edit changes nothing, and what means the same does nothing. */
export function watchConfig(options: WatchOptions): ConfigWatch {
  const { file, onConfig, onSame, onProblem, intervalMs = 1000 } = options
  let current = options.current
  let lastRead = options.current
  let lastProblem: string | undefined
  let isOwed = false
  let turn = Promise.resolve()
  const stopped = new AbortController()

  const take = async (isAsked: boolean): Promise<void> => {
    isOwed = false
    const read = loadConfig(file, options)
    if (isSame(lastRead, read)) {
      if (isAsked || lastProblem !== undefined) onSame()
      lastProblem = undefined
      return
    }
    const notes = [...restartNotes(current, read), ...read.warnings]
    const next = keepUntilRestart(current, read)
    isOwed = true
    await onConfig(next, notes)
    isOwed = false
    lastProblem = undefined
    current = next
    lastRead = read
  }
  const look = async (isAsked: boolean): Promise<void> => {
    if (stopped.signal.aborted) return
    try {
      await take(isAsked)
    } catch (problem) {
      if (isAsked || messageOf(problem) !== lastProblem) onProblem(problem)
      lastProblem = messageOf(problem)
    }
  }
  const inTurn = (isAsked: boolean): Promise<void> => (turn = turn.then(() => look(isAsked)))

  void follow(file, {
    intervalMs,
    signal: stopped.signal,
    isOwed: () => isOwed,
    changed: () => inTurn(false),
  })
  return { reload: () => inTurn(true), stop: () => stopped.abort() }
}

interface Following {
  readonly intervalMs: number
  readonly signal: AbortSignal
  /** What the file says was not taken yet, although there is nothing wrong with it. */
  isOwed(): boolean
  changed(): Promise<void>
}

/**
 * Looks at the file again and again: the system's own notices miss renames and links that move, and network
 * file systems have none. What is still being written rests first. The first look always counts, since the
 * file may have changed after it was loaded.
 */
async function follow(file: string, { intervalMs, signal, isOwed, changed }: Following): Promise<void> {
  let seen = await traitsOf(file)
  let taken: string | undefined
  while (await pause(intervalMs, true, { signal }).catch(() => false)) {
    const traits = await traitsOf(file)
    const isResting = traits === seen
    seen = traits
    if (!isResting || (traits === taken && !isOwed())) continue
    taken = traits
    await changed()
  }
}

/** Not the time at which it was written: what could not be read is read when its rights have changed. */
const traitsOf = async (file: string): Promise<string> =>
  stat(file, { bigint: true }).then(
    ({ dev, ino, size, ctimeNs }) => `${dev} ${ino} ${size} ${ctimeNs}`,
    () => 'gone',
  )

/** Whether both mean the same; where in the file it stands is no matter. */
const isSame = (one: Config, other: Config): boolean => isDeepStrictEqual(meaningOf(one), meaningOf(other))
const meaningOf = (config: Config) => ({ ...config, warnings: undefined, lookup: undefined })

/** What a running server cannot take up stays as it was; the masker goes on knowing it. */
const keepUntilRestart = (current: Config, read: Config): Config => ({
  ...read,
  server: { ...current.server, apiToken: read.server.apiToken },
  dataDir: current.dataDir,
  database: current.database,
  secrets: [...new Set([...read.secrets, ...current.secrets])],
})

function restartNotes(current: Config, read: Config): string[] {
  const [before, after] = [settledValues(current), settledValues(read)]
  return Object.keys(before)
    .filter((key) => before[key] !== after[key])
    .map((key) => `${key} has changed: that needs a restart`)
}

const settledValues = ({ server, dataDir, database }: Config): Record<string, unknown> => ({
  'server.host': server.host,
  'server.port': server.port,
  'server.public_url': server.publicUrl,
  data_dir: dataDir,
  database,
})
