import { setTimeout as pause } from 'node:timers/promises'

import { isFinal, type State } from '../deployment/state.ts'
import { askForJson, isAway, type ServerChoice } from './client.ts'

/** A deployment, as the server shows it. */
export interface Shown {
  readonly id: number
  readonly name: string
  readonly state: State
  readonly hold?: { readonly reason: string; readonly detail: string }
  readonly forced?: { readonly by: string; readonly why: string }
  readonly reason?: string
  readonly detail?: string
  readonly sha: string
  readonly deployed_sha?: string
}

const LOOK_AGAIN_MS = 500
/** A deployment may restart the very server that runs it. */
const AWAY_MS = 5 * 60_000

interface Followed {
  readonly server: ServerChoice
  readonly id: number
  readonly name: string
}

/**
 * Says a line each time that a deployment, or why it waits, has changed, until it has ended; undefined when somebody
 * pressed ^C before that. Throws what the server says, and what `isAway` knows when it is away for five minutes.
 */
export async function follow(followed: Followed, say: (line: string) => unknown): Promise<Shown | undefined> {
  const stop = new AbortController()
  const interrupt = (): void => stop.abort()
  process.once('SIGINT', interrupt)
  try {
    return await untilItEnds(followed, { say, signal: stop.signal })
  } catch (thrown) {
    if (!stop.signal.aborted) throw thrown
    say(`Nobody waits for ${followed.name} any more. It goes on; \`ferryman cancel\` takes it back.`)
    return undefined
  } finally {
    process.off('SIGINT', interrupt)
  }
}

interface Following {
  say(line: string): unknown
  readonly signal: AbortSignal
}

async function untilItEnds({ server, id }: Followed, { say, signal }: Following): Promise<Shown> {
  let last: string | undefined
  let awaySince: number | undefined
  for (;;) {
    const shown = await look(server, id, signal).catch((thrown: unknown) => {
      awaySince ??= performance.now()
      if (signal.aborted || !isAway(thrown) || performance.now() - awaySince > AWAY_MS) throw thrown
    })
    if (shown !== undefined) awaySince = undefined
    const line =
      shown === undefined ? 'the server, or its database, does not answer; it is asked again' : lineOf(shown)
    if (line !== last) say(line)
    last = line
    if (shown !== undefined && isFinal(shown.state)) return shown
    await pause(LOOK_AGAIN_MS, undefined, { signal })
  }
}

const look = async (server: ServerChoice, id: number, signal: AbortSignal): Promise<Shown> => {
  const path = `/api/deployments/${id}`
  return ((await askForJson(server, { method: 'GET', path, signal })) as { deployment: Shown }).deployment
}

/** How it stands, in one line. */
export function lineOf({ state, hold, detail, sha, deployed_sha: deployedSha }: Shown): string {
  if (state === 'queued') return hold === undefined ? 'waiting for its turn' : `held: ${hold.detail}`
  if (state === 'succeeded' && deployedSha !== undefined)
    return `succeeded: ${deployedSha.slice(0, 7)} is there now, asked for ${sha.slice(0, 7)}`
  return detail === undefined ? state : `${state}: ${detail}`
}
