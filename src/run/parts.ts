import type { ProcessRecord, StepResult } from '../deployment/deployment.ts'
import type { Value } from '../deployment/recipe.ts'
import type { LogWriter } from '../logs/logs.ts'
import type { Masker } from '../logs/redact.ts'
import type { Users } from './another-user.ts'
import type { Patience } from './ending.ts'
import type { ServerSide } from './environment.ts'
import type { Guard } from './guard.ts'
import type { Starter } from './standby.ts'
import type { Checkouts } from './workspace/check-out.ts'

/** What a run needs; app.ts supplies it. */
export interface RunParts {
  readonly log: LogWriter
  readonly masker: Masker
  readonly guard: Guard
  readonly standby: Starter
  /** Aborted with a `Stop` when the server has to end the run. */
  readonly signal: AbortSignal
  /** Aborted, with a sentence for the log, when the server begins to stop: what runs may end by itself yet. */
  readonly stopping: AbortSignal
  /** Aborted when the server cannot wait any longer: what cannot be ended is left to its next start. */
  readonly leaving: AbortSignal
  /** Milliseconds by a clock that nobody sets. */
  readonly clock: () => number
  readonly server: ServerSide
  resolve(value: Value): string
  /** Waits no longer for the database once the signal is aborted. */
  record(process: ProcessRecord, signal: AbortSignal): Promise<void>
  /** The hooks before it let the work begin. */
  workBegins(): Promise<void>
  /** Something lives on although it was killed: `rsync (4711)`. */
  stuck(processes: string): void
  readonly previousSha: string | undefined
  /** Options with which the playbook is only asked what it would do; undefined: it does it. */
  readonly asking?: readonly string[] | undefined
  /** Random and hexadecimal. */
  readonly runId: string
  /** Where the run's private folder is made. */
  readonly directory: string
  /** Where what playbooks need is kept from one deployment to the next. */
  readonly installed: string
  readonly checkouts: Checkouts
  /** Whether so little is free where the folder lies that nothing more is begun. */
  isFull(folder: string): Promise<boolean>
  readonly patience: Patience
}

/** A run that has begun. */
export interface Begun extends RunParts {
  /** Its private folder. */
  readonly folder: string
  /** Filled step by step. */
  readonly results: StepResult[]
  /** The commits that a playbook says it has put in place. */
  readonly reported: string[]
  /** Who its commands become. */
  readonly users: Users
  /** The processes that were begun, oldest first. */
  readonly begun: ProcessRecord[]
  /** Forget what is masked for this run alone. */
  readonly lent: (() => void)[]
}
