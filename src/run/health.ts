import type { IncomingMessage } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'

import { messageOf } from '../errors.ts'
import type { HealthCheck } from '../deployment/recipe.ts'
import { readAddress } from './sources/http.ts'
import type { ActionStep } from './steps.ts'

// An import of node:http, which has WebSocket, loads all of fetch at once: a twentieth of a start.
const http = process.getBuiltinModule('node:http')
const https = process.getBuiltinModule('node:https')

/** Whether an address answers as it should, as a step: asked again and again until it does, or often enough. */
export const healthStep = (check: HealthCheck): ActionStep => ({
  kind: 'action',
  name: `ask ${check.url} for ${check.status}`,
  hook: 'verify',
  onFailure: 'ends',
  async perform({ signal, log }) {
    let said = ''
    for (let tried = 1; tried <= check.tries; tried += 1) {
      if (tried > 1) await pause(check.intervalSeconds * 1000, undefined, { signal }).catch(() => {})
      if (signal.aborted) return undefined // whoever has aborted it says why
      const answer = await ask(check, signal)
      if (answer === check.status) {
        await log.line(`${check.url} answers ${answer}${tried === 1 ? '' : `, asked ${times(tried)}`}`)
        return undefined
      }
      const now = typeof answer === 'number' ? `answers ${answer}` : `does not answer: ${answer}`
      if (now !== said) await log.line(`${check.url} ${now}`)
      said = now
    }
    return { reason: 'verification_failed', detail: `${check.url} ${said}, asked ${times(check.tries)}` }
  },
})

/** The status of its answer, or why there is none. Redirections are not followed: they are an answer. */
function ask({ url, answerWithinSeconds }: HealthCheck, ending: AbortSignal): Promise<number | string> {
  // Not `fetch`, which refuses ports that are well known for something else: services listen where they like.
  const request = url.startsWith('https:') ? https.request : http.request
  // Of what is in an address node takes no bare % in a password.
  const { url: place, headers: credentials } = readAddress(url)
  const headers = { ...credentials, 'user-agent': 'ferryman' }
  const patience = AbortSignal.timeout(Math.ceil(answerWithinSeconds * 1000)) // 2.01 s are 2009.9999999999998
  const signal = AbortSignal.any([ending, patience])
  return new Promise((resolve) => {
    const take = (answer: IncomingMessage): void => {
      answer.destroy()
      resolve(answer.statusCode ?? 'it answered no HTTP')
    }
    const asking = request(place, { signal, agent: false, headers }, take)
    asking.once('upgrade', take) // an answer, too; with nobody to hear it nothing more would come, not even an error
    asking.once('error', (cause) => {
      resolve(patience.aborted ? `nothing came within ${answerWithinSeconds} s` : messageOf(cause))
    })
    asking.end()
  })
}

const times = (count: number): string => (count === 1 ? 'once' : `${count} times`)
