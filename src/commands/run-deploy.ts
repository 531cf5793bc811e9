import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'

import { isFinal } from '../deployment/state.ts'
import { messageOf, problem } from '../errors.ts'
import { oneLine } from '../logs/one-line.ts'
import { asJson } from './as-json.ts'
import { askForJson, isAway, type ServerChoice } from './client.ts'
import { follow, lineOf, type Shown } from './follow.ts'

export interface DeployOptions {
  readonly server: ServerChoice
  /** The repository, the environment and the ref; the last two may be left out. */
  readonly words: readonly string[]
  readonly task: string | undefined
  /** It goes back: nothing goes there by itself until that is over. */
  readonly pin: boolean
  readonly reason: string | undefined
  readonly force: boolean
  readonly wait: boolean
  readonly key: string | undefined
  readonly json: boolean
}

interface Answer {
  readonly outcome: 'asked' | 'asked_already'
  readonly said: string
  readonly deployment: Shown
}

export async function runDeploy(options: DeployOptions): Promise<number> {
  const { server, words, task, pin, reason, force, wait, json, key = randomUUID() } = options
  const said = { ...(task === undefined ? {} : { task }), ...(reason === undefined ? {} : { reason }) }
  const body = { ...wordsOf(words), ...said, ...(pin ? { pin } : {}), force }
  const answer = await askOnce(server, { body, key })
  // With --json the standard output is for programs alone.
  const say = (line: string): unknown => (json ? process.stderr : process.stdout).write(`${oneLine(line)}\n`)
  if (!json || wait) say(told(answer))
  if (!wait) {
    if (json) print(answer)
    else if (answer.outcome === 'asked_already') say(lineOf(answer.deployment))
    return hasEndedInVain(answer.deployment) ? 1 : 0
  }
  const { id, name } = answer.deployment
  const ended = await follow({ server, id, name }, say)
  if (json && ended !== undefined) print({ ...answer, deployment: ended })
  return ended?.state === 'succeeded' ? 0 : 1
}

const print = (answer: Answer): unknown => process.stdout.write(asJson(answer))

/** One that was asked for before may have come to its end already. */
const hasEndedInVain = ({ state }: Shown): boolean => isFinal(state) && state !== 'succeeded'

const WORDS = {
  asked: 'will deploy',
  asked_already: 'was asked for before:',
} as const satisfies Record<Answer['outcome'], string>

function told({ outcome, said, deployment: { name, sha, forced } }: Answer): string {
  const force = forced === undefined ? '' : `, forced by ${forced.by}: ${forced.why}`
  return `${name} ${WORDS[outcome]} ${sha.slice(0, 7)} (${said})${force}`
}

export function wordsOf([repository, second, third]: readonly string[]) {
  if (repository === undefined)
    throw problem('request_wrong', { list: 'the repository that is to be deployed, such as acme/shop' })
  // No environment begins like :previous or #12.
  const isRef = /^[:#]/.test(second ?? '') && third === undefined
  const [environment, ref] = isRef ? [undefined, second] : [second, third]
  return {
    repository,
    ...(environment === undefined ? {} : { environment }),
    ...(ref === undefined ? {} : { ref }),
  }
}

const TRIES = 5
const PAUSE_MS = 1_000

/**
 * Sends the wish again when its answer is lost; with the same key, so that it is granted once. Throws `answer_lost`
 * when none comes, and at once what `askServer` throws where nobody was there to hear it.
 */
async function askOnce(
  server: ServerChoice,
  { body, key }: { readonly body: object; readonly key: string },
): Promise<Answer> {
  for (let tried = 1; ; tried += 1)
    try {
      return (await askForJson(server, { method: 'POST', path: '/api/deployments', body, key })) as Answer
    } catch (thrown) {
      // Where nobody listened at first, nothing was heard.
      if (!isAway(thrown) || (tried === 1 && thrown.code !== 'server_silent')) throw thrown
      if (tried === TRIES) throw problem('answer_lost', { cause: messageOf(thrown.cause), key }, thrown)
      await pause(PAUSE_MS)
    }
}
