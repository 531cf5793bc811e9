import type { EnvironmentConfig } from '../config/config.ts'
import { HOOKS_AGAIN_MS, isByItself, type Deployment } from '../deployment/deployment.ts'
import { lockSentence, pinSentence, type Closed, type GateFacts } from '../deployment/gates.ts'
import type { HoldReason } from '../deployment/reasons.ts'
import type { Gate } from '../store/store.ts'
import { approverOf, judgeApproval } from './approval.ts'
import { staleChecks } from './gate.ts'
import { judgePredecessor } from './predecessor.ts'
import { windowAt } from './windows.ts'

/** What an environment demands of everything that goes there, beside its checks. */
export type Demands = Pick<EnvironmentConfig, 'windows' | 'after' | 'approval'>

/** One rule: why it stands in the way; undefined where it does not. Pure. */
type Rule = (deployment: Deployment, demands: Demands, facts: GateFacts) => Closed | undefined

/** Rules that hold whatever comes. */
const OF_THE_PLACE = {
  locked(_demands, { locks: [lock] }) {
    return lock && { reason: 'locked', detail: lockSentence(lock), until: lock.until }
  },
  pinned(_demands, { pin }) {
    return pin && { reason: 'pinned', detail: pinSentence(pin), until: undefined }
  },
  outside_windows({ windows }, { now }) {
    const answer = windowAt(windows, now)
    return answer.open ? undefined : { reason: 'outside_windows', detail: answer.detail, until: answer.until }
  },
} as const satisfies Partial<Record<HoldReason, (demands: Demands, facts: GateFacts) => Closed | undefined>>

/** In this order: the first that stands in the way is the one that is told. */
const RULES = {
  locked: (_deployment, demands, facts) => OF_THE_PLACE.locked(demands, facts),
  pinned: (deployment, demands, facts) =>
    isByItself(deployment) ? OF_THE_PLACE.pinned(demands, facts) : undefined,
  outside_windows: (_deployment, demands, facts) => OF_THE_PLACE.outside_windows(demands, facts),
  earlier_environment: ({ sha }, { after }, facts) => after && judgePredecessor(sha, after, facts),
  // A moment that is further ahead was noted while the clock was wrong.
  hook_blocked: ({ blocked }, _demands, { now }) =>
    blocked && blocked.until > now && blocked.until <= now + HOOKS_AGAIN_MS
      ? { reason: 'hook_blocked', detail: blocked.detail, until: blocked.until }
      : undefined,
  // The last: people are asked when everything else is open.
  approval_pending: (deployment, { approval }, facts) =>
    approval && judgeApproval(deployment, approval, facts),
} as const satisfies Partial<Record<HoldReason, Rule>>

/** What somebody with the right may let a deployment pass; a second person can be replaced by nobody. */
const FORCEABLE: ReadonlySet<string> = new Set<HoldReason>([
  'locked',
  'pinned',
  'outside_windows',
  'earlier_environment',
])

/** Reasons that gates give, which are judged by what is known here: GitHub is not asked. */
export const isOfGate = (reason: HoldReason): boolean => Object.hasOwn(RULES, reason)

/** How one gate stands. */
export interface GateStanding {
  readonly gate: HoldReason
  /** Why it is closed; undefined: it is open. */
  readonly closed: Closed | undefined
  /** It is closed, and the deployment may pass all the same. */
  readonly isForced: boolean
}

/** The gates of an environment that stand as they do whatever comes. Pure. */
export const judgePlace = (demands: Demands, facts: GateFacts): readonly GateStanding[] =>
  Object.entries(OF_THE_PLACE).map(([gate, rule]) => ({
    gate: gate as HoldReason,
    closed: rule(demands, facts),
    isForced: false,
  }))

/** Every gate of an environment, and why it is closed for the deployment; undefined where it is open. Pure. */
export const judgeEach = (
  deployment: Deployment,
  demands: Demands,
  facts: GateFacts,
): readonly GateStanding[] =>
  Object.entries<Rule>(RULES).map(([gate, rule]) => {
    const closed = rule(deployment, demands, facts)
    const isForced = closed !== undefined && deployment.forced !== undefined && FORCEABLE.has(gate)
    return { gate: gate as HoldReason, closed, isForced }
  })

/** Why a deployment may not begin now; undefined: its gates let it through. The first rule that answers counts. Pure. */
const judge = (deployment: Deployment, demands: Demands, facts: GateFacts): Closed | undefined =>
  judgeEach(deployment, demands, facts).find(({ closed, isForced }) => closed !== undefined && !isForced)
    ?.closed

/** The gates of the configuration as it is now. What is not configured any more has none. */
export const createGate = (
  environmentOf: (deployment: Deployment) => EnvironmentConfig | undefined,
): Gate => ({
  wanted(deployment) {
    const { after, approval } = environmentOf(deployment) ?? {}
    return { after: after?.environment, approval: approval !== undefined }
  },
  judge(deployment, facts) {
    const environment = environmentOf(deployment)
    return environment === undefined ? undefined : judge(deployment, environment, facts)
  },
  approver(deployment, facts) {
    const demand = environmentOf(deployment)?.approval
    return demand && approverOf(deployment, demand, facts)
  },
})

/**
 * The same, for what is to begin at once: its checks, too, must have been seen to pass lately. What is not configured any
 * more begins nowhere.
 */
export const withChecks = (
  gate: Gate,
  environmentOf: (deployment: Deployment) => EnvironmentConfig | undefined,
): Gate => ({
  ...gate,
  judge(deployment, facts) {
    const environment = environmentOf(deployment)
    if (environment === undefined) return UNCONFIGURED
    return gate.judge(deployment, facts) ?? staleChecks(deployment, environment, facts.now)
  },
})

/** The configuration has changed at this very moment; whoever looks at it ends it. */
const UNCONFIGURED: Closed = {
  reason: 'deciding',
  detail: 'Where it goes is no longer in the configuration',
  until: undefined,
}
