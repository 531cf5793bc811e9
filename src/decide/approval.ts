import type { ApprovalDemand } from '../config/config.ts'
import type { Deployment } from '../deployment/deployment.ts'
import { moment, type Approval, type Closed, type GateFacts } from '../deployment/gates.ts'
import { short } from './words.ts'

type Facts = Pick<GateFacts, 'approvals' | 'areAuthorsKnown' | 'authors' | 'now'>

/** Why a deployment may not begin before somebody has agreed to it; undefined: somebody has. Pure. */
export function judgeApproval(
  deployment: Deployment,
  demand: ApprovalDemand,
  facts: Facts,
): Closed | undefined {
  if (needsAuthors(demand, facts)) {
    const detail = `Whose change ${short(deployment.sha)} is has yet to be asked of GitHub`
    return { reason: 'author_unknown', detail, until: undefined }
  }
  if (approverOf(deployment, demand, facts) !== undefined) return undefined
  const detail = `${whatIsThere(deployment, demand, facts)}${whoMay(deployment, demand, facts)}`
  return { reason: 'approval_pending', detail, until: undefined }
}

/** Whether nobody can tell yet who may not approve, since GitHub has not said whose change the commit is. Pure. */
export const needsAuthors = (demand: ApprovalDemand, facts: Pick<GateFacts, 'areAuthorsKnown'>): boolean =>
  !demand.allowsAuthor && !facts.areAuthorsKnown

/** The first whose approval counts now. Pure. */
export const approverOf = (
  deployment: Deployment,
  demand: ApprovalDemand,
  facts: Facts,
): string | undefined =>
  facts.approvals.find(
    ({ by, until }) => until > facts.now && refusalOf(by, deployment, demand, facts) === undefined,
  )?.by

/** Why somebody may not approve a deployment; undefined: they may. Names are compared without regard to case. Pure. */
export function refusalOf(
  by: string,
  deployment: Deployment,
  demand: ApprovalDemand,
  facts: Pick<Facts, 'authors'>,
): 'not_listed' | 'author' | undefined {
  if (demand.by !== undefined && !isAmong(by, demand.by)) return 'not_listed'
  return !demand.allowsAuthor && isAmong(by, ownersOf(deployment, facts)) ? 'author' : undefined
}

/**
 * Those whose deployment it is: who asked for it, and who made the change. Who made the deployment on GitHub counts where
 * that was asking for it; where it was us, in our own name, it was not. For what was found in a source nobody has asked.
 */
function ownersOf({ origin, actor, creator }: Deployment, { authors }: Pick<Facts, 'authors'>): string[] {
  if (origin === 'poll') return [...authors]
  return origin === 'deployment' ? [actor, creator, ...authors] : [actor, ...authors]
}

const isAmong = (name: string, names: readonly string[]): boolean =>
  names.some((one) => one.toLowerCase() === name.toLowerCase())

/** What has become of the approvals that there are, as the beginning of a sentence. */
function whatIsThere(deployment: Deployment, demand: ApprovalDemand, facts: Facts): string {
  const last: Approval | undefined = facts.approvals.at(-1)
  if (last === undefined) return 'Waiting for approval'
  const { by, until } = last
  if (until <= facts.now) return `The approval by ${by} ended ${moment(until)}; waiting for another`
  const why = refusalOf(by, deployment, demand, facts) === 'author' ? 'whose it is' : 'who may not approve it'
  return `The approval by ${by}, ${why}, does not count; waiting for another`
}

const MOST_NAMES = 3

function whoMay(deployment: Deployment, demand: ApprovalDemand, facts: Facts): string {
  const owners = demand.allowsAuthor ? [] : ownersOf(deployment, facts)
  if (demand.by === undefined)
    return owners.length === 0 ? '' : ` by somebody other than ${listed(withoutTwins(owners), 'and')}`
  const able = demand.by.filter((name) => !isAmong(name, owners))
  return able.length === 0
    ? `, which nobody may give: it is a change of ${listed(demand.by, 'and')}`
    : ` by ${listed(able, 'or')}`
}

const withoutTwins = (names: readonly string[]): readonly string[] =>
  names.filter((name, index) => !isAmong(name, names.slice(0, index)))

/** `ann, bob or carol` */
function listed(names: readonly string[], last: 'and' | 'or'): string {
  const more = names.length - MOST_NAMES
  const told = more > 0 ? [...names.slice(0, MOST_NAMES), `${more} more`] : names
  return told.length < 2 ? told.join('') : `${told.slice(0, -1).join(', ')} ${last} ${told.at(-1)}`
}
