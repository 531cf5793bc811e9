import { spawn } from 'node:child_process'
import { resolve } from 'node:path'

export interface Ran {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Where all that tests start keeps what Node has compiled: hundreds of starts are spared from doing it again. */
export const COMPILED = resolve('node_modules/.cache/ferryman')

/** Runs the command line as people do, in an environment of its own; answers when it has ended. */
export function ferryman(
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<Ran> {
  const child = spawn(resolve('bin/ferryman'), [...args], {
    cwd: options.cwd ?? process.cwd(),
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: '/nonexistent',
      NODE_COMPILE_CACHE: COMPILED,
      ...options.env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 25_000,
  })
  let [out, err] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()))
  return new Promise((done, reject) => {
    child.once('error', reject)
    child.once('close', (code) => done({ code, out, err }))
  })
}
