import { unwatchFile, watchFile } from 'node:fs'
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
  /** The file cannot be used; what was in force stays so. Also told what `onConfig` throws. */
  readonly onProblem: (problem: unknown) => void
  /** How often the file is looked at: the system's own notices miss renames, and network file systems have none. */
  readonly intervalMs?: number
}

export interface ConfigWatch {
  /** Reads the file now, with all that it refers to, and says again what is wrong with it. */
  reload(): Promise<void>
  stop(): void
}

/** How long a file must rest before it is read: an editor may have written half of it. */
const REST_MS = 100
const MOST_RESTS = 50

/** Follows the file, also when another takes its name. A wrong edit changes nothing, and what means the same does nothing. */
export function watchConfig(options: WatchOptions): ConfigWatch {
  const { file, onConfig, onProblem, intervalMs = 1000 } = options
  let current = options.current
  let lastRead = options.current
  let lastProblem: string | undefined
  let turn = Promise.resolve()
  const stopped = new AbortController()

  const take = async (): Promise<void> => {
    const read = loadConfig(file, options)
    lastProblem = undefined
    if (isSame(lastRead, read)) return
    const notes = [...restartNotes(current, read), ...read.warnings]
    current = keepUntilRestart(current, read)
    lastRead = read
    await onConfig(current, notes)
  }
  const look = async (isAsked: boolean): Promise<void> => {
    try {
      if (!isAsked) await rested(file, stopped.signal)
      if (!stopped.signal.aborted) await take()
    } catch (problem) {
      if (stopped.signal.aborted) return
      if (isAsked || messageOf(problem) !== lastProblem) onProblem(problem)
      lastProblem = messageOf(problem)
    }
  }
  const inTurn = (isAsked: boolean): Promise<void> => (turn = turn.then(() => look(isAsked)))
  const onChange = (): void => void inTurn(false)

  watchFile(file, { interval: intervalMs }, onChange)
  return {
    reload: () => inTurn(true),
    stop() {
      stopped.abort()
      unwatchFile(file, onChange)
    },
  }
}

/** Resolves when the file has not changed for a moment, or has gone. */
async function rested(file: string, signal: AbortSignal): Promise<void> {
  for (let rests = 0; rests < MOST_RESTS; rests += 1) {
    const before = await traitsOf(file)
    await pause(REST_MS, undefined, { signal })
    if (before === (await traitsOf(file))) return
  }
}

const traitsOf = async (file: string): Promise<string | undefined> =>
  stat(file, { bigint: true }).then(
    ({ ino, size, mtimeNs }) => `${ino} ${size} ${mtimeNs}`,
    () => undefined,
  )

/** Whether both mean the same; where in the file it stands is no matter. */
const isSame = (one: Config, other: Config): boolean => isDeepStrictEqual(meaningOf(one), meaningOf(other))
const meaningOf = (config: Config) => ({ ...config, warnings: undefined, lookup: undefined })

/** What a running server cannot take up stays as it was; the masker goes on knowing it. */
const keepUntilRestart = (current: Config, read: Config): Config => ({
  ...read,
  server: current.server,
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
  'server.api_token': server.apiToken,
  data_dir: dataDir,
  database,
})
