import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

/** A started program; its output is in `log`. */
export interface Program {
  readonly name: string
  readonly pid: number
  readonly log: string
  readonly child: ChildProcess
}

export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string>>
  /** Binds it to one core, so that a server and what loads it do not take each other's time. */
  readonly core?: number
  /** Lets every fsync take 2 ms longer, as an ordinary cloud disk does. */
  readonly slowDisk?: boolean
}

/** Where the measurements happen: a temporary folder, and everything that was started in it. */
export interface Place {
  readonly quick: boolean
  /** How large a repository is made. */
  readonly megabytes: number
  /** Makes a folder. */
  folder(name: string): string
  start(name: string, argv: readonly string[], options?: ProgramOptions): Program
  /** Ends a program by its process id and waits until it is gone. */
  end(program: Program): Promise<void>
  /** Ends everything that is left, and removes the folder. */
  clear(): Promise<void>
  say(text: string): void
}

const SLOW_DISK = [
  'strace',
  '-D',
  '-f',
  '--seccomp-bpf',
  '-qq',
  '-o',
  '/dev/null',
  '-e',
  'trace=fsync,fdatasync',
]
const INJECT = ['-e', 'inject=fsync,fdatasync:delay_exit=2000']

/** Makes the temporary folder, on the disk that is measured. */
export function createPlace({
  quick,
  megabytes = 64,
  parent = tmpdir(),
}: {
  quick: boolean
  megabytes?: number
  parent?: string | undefined
}): Place {
  const root = mkdtempSync(join(parent, 'ferryman-bench-'))
  const running = new Set<Program>()
  const pinned = canPin()
  let folders = 0
  let isCleared = false

  const end = async (program: Program): Promise<void> => {
    running.delete(program)
    await endProgram(program.child)
  }
  return {
    quick,
    megabytes,
    say: (text) =>
      void process.stderr.write(
        `${process.stderr.isTTY ? '\r\u001b[K' : ''}${text}${process.stderr.isTTY ? '' : '\n'}`,
      ),
    folder(name) {
      const path = join(root, `${(folders += 1)}-${name}`)
      mkdirSync(path)
      return path
    },
    start(name, argv, { env = {}, core, slowDisk = false } = {}) {
      if (isCleared) throw new Error('The measurement was ended')
      const onCore = core === undefined || !pinned ? argv : ['taskset', '-c', String(core), ...argv]
      const [file = '', ...args] = slowDisk ? [...SLOW_DISK, ...INJECT, ...onCore] : onCore
      const log = join(root, `${(folders += 1)}-${name.replaceAll(/\W+/g, '-')}.log`)
      const output = openSync(log, 'a')
      const child = spawn(file, args, {
        cwd: root,
        stdio: ['ignore', output, output],
        env: { PATH: process.env['PATH'] ?? '', HOME: root, ...env },
      })
      closeSync(output)
      child.on('error', () => {}) // without a pid it is refused below
      if (child.pid === undefined) throw new Error(`${file} could not be started`)
      const program = { name, pid: child.pid, log, child }
      running.add(program)
      return program
    },
    end,
    async clear() {
      isCleared = true
      await Promise.all([...running].map(end))
      rmSync(root, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
    },
  }
}

/** Whether server and generator can have a core each. */
export const canPin = (): boolean => availableParallelism() > 1 && isInstalled('taskset')

/** Whether a program is on PATH. */
export const isInstalled = (name: string): boolean =>
  (process.env['PATH'] ?? '')
    .split(':')
    .some((folder) => spawnSync('test', ['-x', join(folder, name)]).status === 0)

/** Two signals, as a hurried person gives them: nothing that runs is waited for, but its processes are ended. */
async function endProgram(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  for (const signal of ['SIGCONT', 'SIGTERM', 'SIGTERM'] as const) {
    child.kill(signal)
    await Promise.race([ended, pause(30)])
  }
  // Ferryman's guard ends what a killed Ferryman was running.
  const late = setTimeout(() => child.kill('SIGKILL'), 2_000)
  await ended
  clearTimeout(late)
}

/** A port of loopback that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** Waits until the address answers 200; answers the milliseconds that it took. Throws after 30 s, or when the program ended. */
export async function answered(program: Program, url: string): Promise<number> {
  const from = performance.now()
  while (performance.now() - from < 30_000) {
    const response = await fetch(url, { headers: { connection: 'close' } }).catch(() => undefined)
    await response?.arrayBuffer()
    if (response?.status === 200) return performance.now() - from
    if (program.child.exitCode !== null) break
    await pause(1)
  }
  throw new Error(
    `${program.name} did not answer at ${url}:\n${readFileSync(program.log, 'utf8').slice(-2000)}`,
  )
}

/** Memory of a process in MB: `VmRSS` now, `VmHWM` at most since it was last forgotten. */
export function memory(pid: number, what: 'VmRSS' | 'VmHWM'): number {
  const kilobytes = new RegExp(`^${what}:\\s+(\\d+)`, 'm').exec(
    readFileSync(`/proc/${pid}/status`, 'utf8'),
  )?.[1]
  return Number(kilobytes) / 1024
}

/** The middle of the values, or what so many of 100 do not exceed. */
export function median(values: readonly number[], percent = 50): number {
  const sorted = values.toSorted((one, other) => one - other)
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? Number.NaN
}
