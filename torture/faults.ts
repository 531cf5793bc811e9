import type { ScriptedAnswer } from '../src/demo/faults.ts'
import { secondaryLimit } from '../src/demo/github/answers.ts'
import type { Fault, FaultKind } from './plan.ts'
import type { World } from './world.ts'

const SLOW_MS = 400

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
  'gone 404': { status: 404, body: { message: 'Not Found' } },
  'wrong 422': { status: 422, body: { message: 'Validation Failed' } },
} as const satisfies Readonly<
  Record<Exclude<FaultKind, 'slow'>, ScriptedAnswer | 'reset' | 'reset-after-applying' | 'hang'>
>

/** Lets it go wrong as planned, until the doubles are mended. */
export function script({ github, slack }: World, { at, path, times, what }: Fault): void {
  if (what === 'slow') {
    const gate = at === 'slack' ? slack.hold({ times }) : github.hold({ path, times })
    setTimeout(gate.release, SLOW_MS).unref()
  } else if (at === 'slack') slack.fail({ times, with: SCRIPTS[what === 'limit 403' ? 'limit 429' : what] })
  else github.fail({ path, times, with: SCRIPTS[what] })
}

/** Nothing goes wrong any more. */
export const mend = ({ github, slack }: World): void => {
  github.mend()
  slack.mend()
}
