import type { Deployment } from './deployment.ts'
import type { HoldReason } from './reasons.ts'
import type { State } from './state.ts'

/** Somebody wants nothing to begin at a place. What runs there is untouched. */
export interface Lock {
  /** Never given twice: who took an older lock cannot free a newer one. */
  readonly id: number
  /** `*` is everything, `owner/name` a repository, `owner/name/environment` one environment; in lower case. */
  readonly place: string
  /** Why, in the words of whoever took it. */
  readonly reason: string
  readonly by: string
  readonly since: number
  /** When it ends by itself; undefined: when somebody frees it. */
  readonly until: number | undefined
}

/** Somebody went back to a commit, and nothing goes there by itself until that is over. */
export interface Pin {
  /** `owner/name/environment` in lower case. */
  readonly place: string
  readonly sha: string
  /** Why, in the words of whoever went back. */
  readonly reason: string | undefined
  readonly by: string
  readonly at: number
}

/** Somebody has agreed to one task with one commit in one environment. */
export interface Approval {
  readonly by: string
  readonly at: number
  /** From this moment on it counts no longer. */
  readonly until: number
}

/** How a commit fared in the environment that has to take it first. */
export interface Upstream {
  /** The name of that environment. */
  readonly environment: string
  /** The first success of the commit there; undefined where there is none. */
  readonly success: { readonly number: number; readonly at: number } | undefined
  /** Who has marked the commit bad there last, and perhaps why; undefined where nobody has. */
  readonly bad: { readonly by: string; readonly reason: string | undefined } | undefined
  /** The newest try that has not succeeded, while nothing has; undefined where it was never tried. */
  readonly other: { readonly number: number; readonly state: Exclude<State, 'succeeded'> } | undefined
}

/** What the gates of one deployment are judged by, all of one moment. */
export interface GateFacts {
  readonly now: number
  /** Those that cover its environment and have not ended, the widest first. */
  readonly locks: readonly Lock[]
  /** Of its environment. */
  readonly pin?: Pin | undefined
  /** Of its task and commit in its environment, oldest first; also those that have ended, as long as they are kept. */
  readonly approvals: readonly Approval[]
  /** Whose change the commit is, as far as it was told with any deployment of it in the repository; logins of GitHub. */
  readonly authors: readonly string[]
  /** Whether GitHub has said whose change the commit is: before that, `authors` may lack some. */
  readonly areAuthorsKnown: boolean
  /** Undefined where no other environment comes first. */
  readonly upstream: Upstream | undefined
}

/** Why a deployment may not begin, as a gate says it. */
export interface Closed {
  readonly reason: HoldReason
  /** One sentence about the reason. */
  readonly detail: string
  /** When the gate opens by itself; undefined where that is not known. */
  readonly until: number | undefined
}

/** Every place at which a lock would hold this deployment, the widest first. */
export const placesOf = ({ configuredAs, environment }: Pick<Deployment, 'configuredAs' | 'environment'>) => [
  EVERYWHERE,
  configuredAs,
  `${configuredAs}/${environment.toLowerCase()}`,
]

/** The place of a lock that covers everything. */
export const EVERYWHERE = '*'

/** What is locked, by whom, why, and until when. */
export const lockSentence = ({ place, by, reason, until }: Lock): string =>
  `${placeName(place)} is locked by ${by}${until === undefined ? '' : ` until ${moment(until)}`}: ${reason}`

/** What is pinned, by whom and why. */
export const pinSentence = ({ place, sha, by, reason }: Pin): string =>
  `${place} is pinned to ${sha.slice(0, 7)} by ${by}${reason === undefined ? '' : `: ${reason}`}`

/** The place of a lock, for people. */
export const placeName = (place: string): string => (place === EVERYWHERE ? 'Everything' : place)

/** `2026-11-25 10:24 UTC` */
export const moment = (at: number): string =>
  `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`
