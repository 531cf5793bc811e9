import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'

import { askForJson } from '../src/commands/client.ts'
import { messageOf } from '../src/errors.ts'
import { linesOf, type JournalLine } from './journal.ts'
import { onLine } from './moments.ts'
import type { Cancel } from './plan.ts'
import type { World } from './world.ts'

/** A wish to cancel, and what came of it. */
export interface Wish {
  /** Ferryman's id of the deployment. */
  readonly id: number
  /** What was answered; `unheard`: the server ended meanwhile, and may have done it or not. */
  readonly outcome:
    | 'cancelled'
    | 'cancelling'
    | 'cancelling_already'
    | 'ended_already'
    | 'unknown'
    | 'unheard'
  /** Of its steps, when the answer was there. */
  readonly started: number
  readonly ended: number
  /** Whether the server had been told to stop by then: it may have interrupted what ran, and before. */
  readonly wasStopping: boolean
}

/** Somebody must have seen it by then, or there is nothing to cancel. */
const SEEN_WITHIN_MS = 500
const REASON = 'we want it back'

/** Does as a person who changes their mind; without a server, or without anything to cancel, nothing happens. */
export async function cancel(world: World, act: Cancel): Promise<void> {
  const id = await choose(world, act)
  if (id === undefined) return
  const since = world.times.begun
  const outcome = await (act.by === 'socket' ? askThere(world, id) : runCommand(world, id))
  if (outcome === undefined) return
  const lines = linesOf(readFileSync(world.journalFile, 'utf8')).filter(({ deployment }) => deployment === id)
  const count = (kind: string): number => lines.filter(({ what }) => what === kind).length
  const wasStopping = world.times.stopAsked >= since
  world.wishes.push({ id, outcome, started: count('start'), ended: count('end'), wasStopping })
}

async function choose(world: World, { whom }: Cancel): Promise<number | undefined> {
  if (whom === 'waiting') return listed(world, 'queued')
  const what = whom === 'running' ? 'start' : 'end'
  const running = whom === 'running' ? await listed(world, 'running') : undefined
  return running ?? (await nextLine(world.journalFile, (line) => line.what === what))?.deployment
}

function nextLine(file: string, fits: (line: JournalLine) => boolean): Promise<JournalLine | undefined> {
  const { promise, resolve } = Promise.withResolvers<JournalLine | undefined>()
  const end = onLine(file, (text) => {
    const found = linesOf(text).find(fits)
    if (found !== undefined) resolve(found)
  })
  const limit = setTimeout(resolve, SEEN_WITHIN_MS, undefined)
  return promise.finally(() => {
    end()
    clearTimeout(limit)
  })
}

interface Listed {
  readonly deliveries: readonly { readonly deployments: readonly { id: number; state: string }[] }[]
}

/** The newest one in that state. */
async function listed({ dataDirectory: dataDir }: World, wanted: string): Promise<number | undefined> {
  try {
    const question = { method: 'GET', path: '/api/deliveries?limit=50' } as const
    const { deliveries } = (await askForJson({ config: undefined, dataDir }, question)) as Listed
    return deliveries.flatMap(({ deployments }) => deployments).find(({ state }) => state === wanted)?.id
  } catch {
    return undefined // nobody is there
  }
}

type Outcome = Wish['outcome'] | undefined

async function askThere({ dataDirectory: dataDir }: World, id: number): Promise<Outcome> {
  try {
    const path = `/api/deployments/${id}/cancel`
    const question = { method: 'POST', path, body: { reason: REASON } } as const
    return ((await askForJson({ config: undefined, dataDir }, question)) as { outcome: Outcome }).outcome
  } catch (thrown) {
    return outcomeIn(messageOf(thrown))
  }
}

async function runCommand(world: World, id: number): Promise<Outcome> {
  const words = ['cancel', String(id), '-c', world.configFile, '--reason', REASON, '--json']
  const { said } = world.enter(() => {
    const env = { PATH: process.env['PATH'] ?? '', HOME: world.directory }
    const child = spawn(world.program, words, { env, stdio: ['ignore', 'pipe', 'pipe'] })
    const ended = once(child, 'close')
    return {
      said: Promise.all([text(child.stdout), text(child.stderr)]),
      ended,
      send: (signal) => void child.kill(signal),
    }
  })
  const [answer, wrong] = await said
  return answer === '' ? outcomeIn(wrong) : (JSON.parse(answer) as { outcome: Outcome }).outcome
}

/** By the words that people read. */
function outcomeIn(problem: string): Outcome {
  if (problem.includes('nobody listens there')) return undefined
  if (problem.includes('has ended already')) return 'ended_already'
  return problem.includes('There is no deployment') ? 'unknown' : 'unheard'
}
