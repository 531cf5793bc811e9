import type { ScriptedAnswer } from '../src/demo/faults.ts'
import { secondaryLimit } from '../src/demo/github/answers.ts'
import type { FaultKind } from './fault-kinds.ts'
import { STATUSES, type Fault } from './plan.ts'
import { ROBOT, type World } from './world.ts'

const SLOW_MS = 400
const SHORT_MS = 1_500
const HOUR_MS = 3_600_000

/** What the doubles do instead of answering. */
const SCRIPTS = {
  'error 500': { status: 500, body: { message: 'Server Error' } },
  'page 502': {
    status: 502,
    headers: { 'content-type': 'text/html' },
    body: '<html><title>Unicorn!</title></html>',
  },
  reset: 'reset',
  'lost answer': 'reset-after-applying',
  'limit 403': secondaryLimit(1),
  'limit 429': { status: 429, headers: { 'retry-after': '1' }, body: { message: 'Too many requests' } },
  hang: 'hang',
  'token 401': { status: 401, body: { message: 'Bad credentials' } },
  'forbidden 403': { status: 403, body: { message: 'Resource not accessible by personal access token' } },
  'hidden 404': { status: 404, body: { message: 'Not Found' } },
  'gone 404': { status: 404, body: { message: 'Not Found' } },
  'gone 410': { status: 410, body: { message: 'Gone' } },
  'wrong 422': { status: 422, body: { message: 'Validation Failed' } },
  'limit 403 without an end': secondaryLimit(),
  'limit 429 without an end': { status: 429, body: { message: 'Too many requests' } },
} as const satisfies Readonly<
  Record<
    Exclude<FaultKind, 'slow' | 'budget spent' | 'budget spent for an hour'>,
    ScriptedAnswer | 'reset' | 'reset-after-applying' | 'hang'
  >
>

/** Lets it go wrong as planned, until the doubles are mended. */
export function script({ github, slack }: World, { at, path, times, what }: Fault): void {
  if (what === 'slow') {
    const gate = at === 'slack' ? slack.hold({ times }) : github.hold({ path, times })
    setTimeout(gate.release, SLOW_MS).unref()
  } else if (what === 'budget spent' || what === 'budget spent for an hour') {
    const resetAt = Date.now() + (what === 'budget spent' ? SHORT_MS : HOUR_MS)
    if (at === 'github') github.setRateLimit(ROBOT, { remaining: times, resetAt })
  } else if (at === 'slack') slack.fail({ times, with: SCRIPTS[what === 'limit 403' ? 'limit 429' : what] })
  else github.fail({ path, times, with: SCRIPTS[what] })
}

/** Nothing goes wrong any more. */
export function mend({ github, slack }: World): void {
  github.mend()
  github.setRateLimit(ROBOT, { remaining: 5_000, resetAt: Date.now() + HOUR_MS })
  slack.mend()
}

/** How many reports the doubles have refused for good so far; GitHub refuses when it is asked for them, too. */
export function refusedReports({ github, slack }: World): { readonly sent: number; readonly atMost: number } {
  const atGitHub = github.requests.filter(
    ({ isScripted, path, answer }) =>
      isScripted && STATUSES.test(path) && FINAL.github.has(answer?.status ?? 0),
  )
  const atSlack = slack.requests.filter(({ status = 0 }) => FINAL.slack.has(status)).length
  return {
    sent: atGitHub.filter(({ method }) => method === 'POST').length + atSlack,
    atMost: atGitHub.length + atSlack,
  }
}

const FINAL = { github: new Set([410, 422]), slack: new Set([404, 410, 422]) }
