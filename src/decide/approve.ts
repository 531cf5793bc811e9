import type { EnvironmentConfig } from '../config/config.ts'
import { nameOf, placeOf, type Deployment } from '../deployment/deployment.ts'
import type { Approval } from '../deployment/gates.ts'
import { isFinal } from '../deployment/state.ts'
import { problem, type FerrymanError } from '../errors.ts'
import { GitHubError } from '../github/github.ts'
import type { Journal } from '../logs/journal.ts'
import type { Gate, Store } from '../store/store.ts'
import { needsAuthors, refusalOf } from './approval.ts'
import { learnAuthors, NO_AUTHORS, type AuthorParts } from './authors.ts'

export interface ApproveParts extends AuthorParts {
  readonly store: Pick<Store, 'approvals' | 'deployment' | 'gateFacts' | 'noteAuthors'>
  readonly gate: Gate
  environmentOf(deployment: Deployment): EnvironmentConfig | undefined
  readonly clock: () => number
  readonly journal: Journal
  /** A gate may have opened there, or closed. */
  decided(deployment: Deployment): void
}

/** A deployment that somebody has agreed to. */
export interface Approved {
  readonly deployment: Deployment
  readonly approval: Approval
  /** What else stands in its way; undefined: nothing but its turn and its checks. */
  readonly waitsFor: string | undefined
}

/**
 * Lets a person agree to the commit of a deployment going where that goes. Throws `deployment_unknown`,
 * `deployment_ended`, `deployment_begun`, `approval_not_needed`, `approver_unknown`, `approval_by_author` or
 * `authors_unasked`, and has approved nothing then.
 */
export async function approve(id: number, by: string, parts: ApproveParts): Promise<Approved> {
  const { store, gate, clock, journal } = parts
  const waiting = await waitingWith(id, parts)
  const demand = parts.environmentOf(waiting)?.approval
  if (demand === undefined) throw problem('approval_not_needed', { place: placeOf(waiting) })
  const at = clock()
  const wanted = { ...gate.wanted(waiting), at }
  const known = await store.gateFacts(waiting, wanted)
  const isToAsk = refusalOf(by, waiting, demand, known) === undefined && needsAuthors(demand, known)
  if (isToAsk) await askWhose(waiting, parts)
  const facts = isToAsk ? await store.gateFacts(waiting, wanted) : known
  const refusal = refusalOf(by, waiting, demand, facts)
  const about = { name: nameOf(waiting), by }
  if (refusal === 'author') throw problem('approval_by_author', about)
  if (refusal === 'not_listed')
    throw problem('approver_unknown', {
      ...about,
      place: placeOf(waiting),
      list: (demand.by ?? []).join(', '),
    })
  const approval = { by, at, until: at + demand.expiresSeconds * 1000 }
  const approved = await store.approvals.give(id, approval)
  if (approved === undefined) throw await whyNotWaiting(id, parts)
  journal.info('deployment:approved', { deployment: nameOf(approved), id, sha: approved.sha, by })
  parts.decided(approved)
  const closed = gate.judge(approved, await store.gateFacts(approved, wanted))
  return { deployment: approved, approval, waitsFor: closed?.detail }
}

/** Nobody approves what may be their own change. */
async function askWhose(waiting: Deployment, parts: ApproveParts): Promise<void> {
  try {
    const isElsewhere = parts.environmentOf(waiting)?.via === 'none'
    await learnAuthors(waiting, isElsewhere ? { ...parts, github: () => NO_AUTHORS } : parts)
    parts.decided(waiting) // it may have been waiting for just that
  } catch (thrown) {
    if (!(thrown instanceof GitHubError)) throw thrown
    throw problem('authors_unasked', { name: nameOf(waiting), cause: thrown.message }, thrown)
  }
}

/**
 * Takes back what a person has agreed to, as long as it has not begun. Throws `deployment_unknown`, `deployment_ended`,
 * `deployment_begun` or `approval_unknown`, and has done nothing then.
 */
export async function takeApprovalBack(id: number, by: string, parts: ApproveParts): Promise<Deployment> {
  const { store, clock, journal } = parts
  const done = await store.approvals.takeBack(id, { by, at: clock() })
  if (done === undefined) throw await whyNotWaiting(id, parts)
  const { deployment, wasGiven } = done
  if (!wasGiven) throw problem('approval_unknown', { name: nameOf(deployment), by })
  journal.info('deployment:approval-taken-back', { deployment: nameOf(deployment), id, by })
  parts.decided(deployment)
  return deployment
}

async function waitingWith(id: number, parts: ApproveParts): Promise<Deployment> {
  const found = await parts.store.deployment(id)
  if (found?.state !== 'queued') throw await whyNotWaiting(id, parts)
  return found
}

/** What has become of a deployment that does not wait. */
async function whyNotWaiting(id: number, { store }: ApproveParts): Promise<FerrymanError> {
  const found = await store.deployment(id)
  if (found === undefined) return problem('deployment_unknown', { id: String(id) })
  const { state, detail } = found
  if (!isFinal(state)) return problem('deployment_begun', { name: nameOf(found), state })
  const end = detail === undefined ? state : `${state}, ${detail}`
  return problem('deployment_ended', { name: nameOf(found), state: end })
}
