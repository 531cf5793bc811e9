import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Power } from './power-loss/power-loss.ts'
import type { World } from './world.ts'

/** One life of the server: a process of its own, started as people start it. */
export interface Server {
  readonly pid: number
  /** Resolves when it takes connections, or when it has ended before. */
  readonly listening: Promise<void>
  /** The exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>
  hasEnded(): boolean
  send(signal: NodeJS.Signals): void
  /** Calls the listener with the event of every further line of its log, until the returned function is called. */
  onEvent(listener: (event: string) => void): () => void
}

export interface StartOptions {
  /** Compiled code is kept here from life to life. */
  readonly cache: string
  /** Ends it by SIGKILL when it is about to ask the disk for the count-th time: see `DiskCounts`. */
  readonly killAtDisk?: number | undefined
  /** Of the machine, where it fails when this life has ended. */
  readonly power?: Power | undefined
}

/** Starts the server; what it says is appended to `server.log` in the world's folder. */
export function startServer(world: World, options: StartOptions): Server {
  world.times.begun = performance.now()
  return world.enter(() => start(world, options))
}

function start(world: World, { cache, killAtDisk, power }: StartOptions): Server {
  const isStraced = killAtDisk !== undefined && power === undefined
  const words = [...(isStraced ? strace(killAtDisk) : []), world.program, 'serve', '-c', world.configFile]
  const [file = world.program, ...args] = words
  const child = spawn(file, args, {
    cwd: world.directory,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: world.directory,
      NODE_COMPILE_CACHE: cache,
      ...power?.on(killAtDisk),
    },
  })
  child.once('error', () => {}) // told by the exit that follows
  const listeners = new Set<(event: string) => void>()
  followLines(child, join(world.directory, 'server.log'), (event) => {
    for (const listener of listeners) listener(event)
  })
  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null
  // strace holds the pipes until the last of those that it follows has gone.
  const ended = once(child, isStraced ? 'exit' : 'close').then(() => child.exitCode ?? child.signalCode ?? 1)
  const { promise: listening, resolve } = Promise.withResolvers<void>()
  const onEvent = (listener: (event: string) => void) => {
    listeners.add(listener)
    return () => void listeners.delete(listener)
  }
  onEvent((event) => {
    if (event !== 'server:listening') return
    world.times.firstSeen = Math.min(world.times.firstSeen, performance.now())
    resolve()
  })
  void ended.then(() => resolve())
  return {
    pid: child.pid ?? 0,
    listening,
    ended,
    hasEnded,
    send: (signal) => void (hasEnded() || child.kill(signal)),
    onEvent,
  }
}

function followLines(child: ChildProcess, file: string, tell: (event: string) => void): void {
  appendFileSync(file, `--- life of process ${child.pid}\n`)
  for (const stream of [child.stdout, child.stderr]) {
    let rest = ''
    stream?.on('data', (chunk: Buffer) => {
      appendFileSync(file, chunk)
      const lines = (rest + chunk.toString()).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        const event = /"event":"([^"]+)"/.exec(line)?.[1]
        if (event !== undefined) tell(event)
      }
    })
  }
}

/** strace stands beside the server (-D), so that the process we start is the server itself. */
const strace = (count: number): string[] =>
  [
    ['strace', '-D', '-f', '--seccomp-bpf', '-qq', '-o', '/dev/null', '-e', 'trace=fsync,fdatasync'],
    ['-e', `inject=fsync,fdatasync:signal=SIGKILL:when=${count}`],
  ].flat()
