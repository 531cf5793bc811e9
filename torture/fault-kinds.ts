/**
 * What goes wrong at GitHub and Slack, and what helps where Ferryman has met it: a moment; that somebody mends it
 * and says so, or a restart; that somebody has sent again what was refused for good; another token, since limits
 * are kept over restarts.
 */
export const FAULTS = {
  'error 500': 'a moment',
  'page 502': 'a moment',
  reset: 'a moment',
  'lost answer': 'a moment',
  slow: 'a moment',
  hang: 'a moment',
  'limit 403': 'a moment',
  'limit 429': 'a moment',
  'budget spent': 'a moment',
  'token 401': 'a word',
  'forbidden 403': 'a word',
  'hidden 404': 'a word',
  'gone 404': 'sending again',
  'gone 410': 'sending again',
  'wrong 422': 'sending again',
  'limit 403 without an end': 'another token',
  'limit 429 without an end': 'another token',
  'budget spent for an hour': 'another token',
} as const satisfies Readonly<Record<string, 'a moment' | 'a word' | 'sending again' | 'another token'>>

export type FaultKind = keyof typeof FAULTS
type Help = (typeof FAULTS)[FaultKind]

const kindsOf = (help: Help): FaultKind[] =>
  (Object.keys(FAULTS) as FaultKind[]).filter((kind) => FAULTS[kind] === help)

/** GitHub says 404 to a token that does not see something; Slack says it where a webhook is gone. */
const ELSEWHERE = { github: 'gone 404', slack: 'hidden 404' } as const satisfies Record<string, FaultKind>
type Place = keyof typeof ELSEWHERE
const kindsAt = (help: Help, at: Place): FaultKind[] => kindsOf(help).filter((kind) => kind !== ELSEWHERE[at])

/** What passes by itself. */
export const PASSING = kindsOf('a moment')
/** What is tried hourly. */
export const barredAt = (at: Place): FaultKind[] => kindsAt('a word', at)
/** What is never tried again. */
export const refusedAt = (at: Place): FaultKind[] => kindsAt('sending again', at)
export const LASTING_LIMITS = kindsOf('another token')

/** Whether somebody has to help so, where one of these was met. */
export const needs = (help: Help, faults: readonly { readonly what: FaultKind }[]): boolean =>
  faults.some(({ what }) => FAULTS[what] === help)
