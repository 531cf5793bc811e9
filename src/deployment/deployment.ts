import type { Changes } from './changes.ts'
import type { EndReason, HoldReason } from './reasons.ts'
import type { Recipe } from './recipe.ts'
import type { State } from './state.ts'

/** One commit going to one environment. Times are milliseconds since 1970. */
export interface Deployment {
  readonly id: number
  /** `owner/name`, spelled as GitHub spells it. */
  readonly repository: string
  /** `owner/name` in lower case, as the configuration has it; another one after a rename on GitHub. */
  readonly configuredAs: string
  readonly environment: string
  /** Counts up within the environment: `acme/shop/production#12`. */
  readonly number: number
  readonly lane: string
  /** What called for it: a deployment made on GitHub, or something that we answer with one of our own. */
  readonly origin: Origin
  /** The branch that was merged or pushed to; undefined for what somebody has asked for. */
  readonly branch: string | undefined
  /** Sent along in the payload of a deployment of our own, to know it again. */
  readonly nonce: string | undefined
  /** Whether GitHub was asked to make it: then it may have, although no answer came. */
  readonly wasAsked: boolean
  /** GitHub's id of the deployment; undefined while GitHub has not made it yet. */
  readonly githubId: number | undefined
  /** The full commit id, pinned at acceptance; of a zip that is polled, the id of its version. */
  readonly sha: string
  /** What was asked for: a branch, tag or commit. For display only. */
  readonly ref: string
  readonly task: string
  /** Who wanted it: a person's login where one is known. */
  readonly actor: string
  /** Whose change it is, where GitHub said so when it was merged or pushed; logins of GitHub. */
  readonly authors: readonly string[]
  /** Who made GitHub's deployment; may be a robot. */
  readonly creator: string
  readonly creatorAvatar: string
  readonly description: string
  /** The payload as JSON text; `{}` where GitHub sent none. */
  readonly payload: string
  /** GitHub's API address of the deployment. Shown and handed on, never called. */
  readonly apiUrl: string
  readonly isPrivate: boolean
  readonly recipe: Recipe
  /** Whether a link to the log may be published although the repository is public. */
  readonly publicLogs: boolean
  readonly environmentUrl: string | undefined
  readonly state: State
  /** Why it waits, beside having to wait for its turn; only while it is queued. */
  readonly hold: Hold | undefined
  /** A hook has said that its work may not begin yet; until its work begins. */
  readonly blocked: Blocked | undefined
  /** Who lets it pass the gates that stand in its way; undefined: it waits at each of them. */
  readonly forced: Forced | undefined
  /** When its checks were seen to pass last; undefined: never, or they have moved since. */
  readonly checkedAt: number | undefined
  /** Who had agreed to it when it began; undefined where nobody had to. */
  readonly approvedBy: string | undefined
  /** Why it ended as it did; while it is cancelling, why that is. */
  readonly reason: EndReason | undefined
  /** One sentence about the reason, secrets masked. */
  readonly detail: string | undefined
  /** The commit found in the folder afterwards, where it is another one than `sha`. */
  readonly deployedSha: string | undefined
  readonly steps: readonly StepResult[]
  readonly createdAt: number
  readonly startedAt: number | undefined
  readonly finishedAt: number | undefined
  /** What came with it; undefined before its end, where nothing was there before, and where GitHub did not tell. */
  readonly changes: Changes | undefined
  /** Where its log was published at its end; undefined where it was not. May open the log by itself. */
  readonly logUrl: string | undefined
  /** Somebody has said that its commit is nothing to go back to, and perhaps why; secrets masked. */
  readonly markedBad:
    | { readonly at: number; readonly by: string; readonly reason: string | undefined }
    | undefined
}

/** `poll`: its source was seen to hold it; `person`: somebody has asked Ferryman itself for it. */
export type Origin = 'deployment' | 'merge' | 'push' | 'poll' | 'person'

/** Whether it goes there by itself: nobody has asked for it. */
export const isByItself = ({ origin }: Pick<Deployment, 'origin'>): boolean =>
  origin === 'merge' || origin === 'push' || origin === 'poll'

/** Why a person asked for it, in their words, secrets masked; undefined where they said nothing, or forced it with just that. */
export function wordsFor({
  origin,
  payload,
  forced,
}: Pick<Deployment, 'origin' | 'payload' | 'forced'>): string | undefined {
  if (origin !== 'person') return undefined
  const { reason } = JSON.parse(payload) as { readonly reason?: unknown } // our own, see `wish.ts`
  return typeof reason !== 'string' || reason === forced?.why ? undefined : reason
}

/** Why a queued deployment may not run yet. It blocks nothing behind it. */
export interface Hold {
  readonly reason: HoldReason
  /** One sentence about the reason. */
  readonly detail: string
  readonly since: number
  /** When it ends by itself, where that is known. */
  readonly until: number | undefined
}

/** After so long hooks that let nothing begin are asked again. */
export const HOOKS_AGAIN_MS = 60_000

/** What a hook has said when it was asked. */
export interface Blocked {
  /** When one said so first. */
  readonly since: number
  /** When they are asked again. */
  readonly until: number
  /** One sentence, secrets masked. */
  readonly detail: string
  /** How often they have said so. */
  readonly tries: number
  /** What its log held then: what holds more has begun once more. */
  readonly logBytes: number
  /** The same since anything else was the reason to wait. */
  readonly told: number
}

/** Who wanted a deployment to pass its gates, and why. */
export interface Forced {
  readonly by: string
  readonly why: string
}

/** When a hook is run: before the work, right after it, or when it is known how it ended. */
export type HookPhase = 'before' | 'verify' | 'after_success' | 'after_failure'

/** How one step went. A step that never came to its turn has no entry. */
export interface StepResult {
  /** The command as written to the log, secrets masked. */
  readonly name: string
  /** What the configuration calls it, where it does. */
  readonly label?: string
  /** Around the work, when it was a hook. */
  readonly hook?: HookPhase
  /** How it went, where it was no program but code of our own. */
  readonly action?: 'done' | 'failed'
  /** Why it was left out, in one sentence: it has no exit code then, and took no time. */
  readonly skipped?: string
  /** What there is to say of how it went: that nothing had to be done, or why it could not begin. */
  readonly note?: string
  readonly exitCode: number | undefined
  readonly signal: string | undefined
  readonly seconds: number
  /** How its hosts fared, where the step was a playbook that came to its end. */
  readonly recap?: Recap
}

/** What Ansible told of its hosts at the end of a playbook; secrets masked. */
export interface Recap {
  /** Those in trouble first, then by name; of very many only the first. */
  readonly hosts: readonly HostResult[]
  readonly hostCount: number
  /** Whether the playbook itself said which commit it put in place. */
  readonly hasReportedCommit: boolean
}

/** One line of Ansible's recap: how many tasks ended how. */
export interface HostResult {
  readonly name: string
  readonly ok: number
  readonly changed: number
  readonly unreachable: number
  readonly failed: number
  /** The line that says what went wrong, where something did. */
  readonly problem?: string
}

/** A started process group, written down before its command may run. Linux facts: see `proc(5)`. */
export interface ProcessRecord {
  /** Random; also in the environment of every process of the run as FERRYMAN_RUN_ID. */
  readonly runId: string
  /** Process id of the leader, which is the id of its group and of its session. */
  readonly group: number
  /** `/proc/sys/kernel/random/boot_id` when it started. */
  readonly bootId: string
  /** Field 22 of `/proc/PID/stat`, in clock ticks since boot. */
  readonly startTicks: string
}

/** What the playbook of a deployment told of its hosts, where there was one and it came to its end. */
export const recapOf = ({ steps }: Pick<Deployment, 'steps'>): Recap | undefined =>
  steps.findLast(({ recap }) => recap !== undefined)?.recap

/** What the steps have to say of a success, if they do. */
export const noteOf = ({ steps }: Pick<Deployment, 'steps'>): string | undefined =>
  steps.findLast(({ note }) => note !== undefined)?.note

/** `acme/shop/production#12`: how people name a deployment. */
export const nameOf = (of: Pick<Deployment, 'repository' | 'environment' | 'number'>): string =>
  `${of.repository}/${of.environment}#${of.number}`

/** `owner/name/environment` in lower case: where it goes, as the configuration has it. */
export const placeOf = ({
  configuredAs,
  environment,
}: Pick<Deployment, 'configuredAs' | 'environment'>): string => `${configuredAs}/${environment.toLowerCase()}`

/** What `nameOf` was made of, in whichever case it was typed; undefined when the text is no such name. */
export function readName(
  text: string,
): Pick<Deployment, 'repository' | 'environment' | 'number'> | undefined {
  const [, repository, environment, number] = /^([^/]+\/[^/]+)\/(.+)#(\d{1,15})$/s.exec(text) ?? []
  if (repository === undefined || environment === undefined) return undefined
  return { repository, environment, number: Number(number) }
}
