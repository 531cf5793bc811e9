import type { IgnoredReason } from './reasons.ts'

/** Something happened that may call for a deployment. */
export type Signal = DeploymentSignal | BranchSignal

interface SignalRepository {
  /** 0 where GitHub did not tell. */
  readonly githubId: number
  /** `owner/name` as GitHub spells it. */
  readonly name: string
  readonly isPrivate: boolean
}

/** GitHub says that somebody made a deployment. */
export interface DeploymentSignal {
  readonly kind: 'deployment'
  readonly repository: SignalRepository
  readonly githubId: number
  readonly sha: string
  readonly ref: string
  readonly task: string
  readonly environment: string
  readonly description: string
  /** JSON text. */
  readonly payload: string
  /** In the payload of a deployment of our own: which it is. Not proven: payloads can be copied. */
  readonly nonce: string | undefined
  readonly actor: string
  readonly creator: string
  readonly creatorAvatar: string
  readonly apiUrl: string
  /** When GitHub made it, in milliseconds since 1970; undefined where it does not say. */
  readonly createdAt: number | undefined
  /** A GitHub Actions job made it, to show its own environment. */
  readonly byActions: boolean
}

/** A branch has moved: a pull request was merged into it, or it was pushed to. */
export interface BranchSignal {
  readonly kind: 'merge' | 'push'
  readonly repository: SignalRepository & { readonly defaultBranch: string }
  readonly branch: string
  readonly sha: string
  /** The pull request, or the first line of the commit's message. */
  readonly title: string
  readonly pullRequest: number | undefined
  readonly actor: string
  readonly actorAvatar: string
  /** The logins of those whose change it is, as far as GitHub tells: not of who merged it. */
  readonly authors: readonly string[]
}

/** The checks of a commit have moved. A hint: how they stand is asked. */
export interface ChecksSignal {
  readonly kind: 'checks'
  readonly repository: SignalRepository
  readonly sha: string
}

/** What a delivery says: something happened, or nothing that concerns us. */
export type Reading = { readonly signal: Signal | ChecksSignal } | Ignored

export interface Ignored {
  readonly ignored: IgnoredReason
  readonly detail: string
}
