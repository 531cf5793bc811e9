import type { IgnoredReason } from './reasons.ts'

/** Something happened that may call for a deployment; here: GitHub says that somebody made one. */
export interface Signal {
  readonly kind: 'deployment'
  readonly repository: { readonly githubId: number; readonly name: string; readonly isPrivate: boolean }
  readonly githubId: number
  readonly sha: string
  readonly ref: string
  readonly task: string
  readonly environment: string
  readonly description: string
  /** JSON text. */
  readonly payload: string
  readonly actor: string
  readonly creator: string
  readonly creatorAvatar: string
  readonly apiUrl: string
  /** A GitHub Actions job made it, to show its own environment. */
  readonly byActions: boolean
}

/** What a delivery says: something happened, or nothing that concerns us. */
export type Reading = { readonly signal: Signal } | Ignored

export interface Ignored {
  readonly ignored: IgnoredReason
  readonly detail: string
}
