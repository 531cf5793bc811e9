import type { StepResult } from '../deployment/deployment.ts'
import type { FailedReason } from '../deployment/reasons.ts'

/** How a run ended. */
export type RunResult =
  | {
      readonly state: 'succeeded'
      readonly steps: readonly StepResult[]
      readonly deployedSha: string | undefined
    }
  | {
      readonly state: 'failed'
      readonly steps: readonly StepResult[]
      readonly reason: FailedReason
      readonly detail: string
      /** Of the step that failed, secrets masked; empty where none has. */
      readonly lastLines: readonly string[]
    }
  /** A hook says that the work may not begin yet. */
  | { readonly state: 'held'; readonly steps: readonly StepResult[]; readonly detail: string }
  | {
      readonly state: 'cancelled'
      readonly steps: readonly StepResult[]
      readonly reason: 'by_person'
      readonly detail: string
    }
