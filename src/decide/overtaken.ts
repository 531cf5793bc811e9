import type { Deployment } from '../deployment/deployment.ts'
import type { Landmarks, Meanwhile } from '../store/store.ts'
import type { Outcome } from './gate.ts'
import { OF_ARRIVAL, type History } from './history.ts'
import { short } from './words.ts'

/** Whether its commit, or a newer one, is there already, or on its way: nothing goes backwards by itself. */
export async function overtaken(
  { repository, sha }: Deployment,
  { live, isDisturbed, ahead }: Landmarks,
  head: string | undefined,
  { history }: { readonly history: History },
): Promise<Outcome | undefined> {
  const contains = async (other: string): Promise<boolean> => {
    const there = await history.compare(repository, sha, other)
    return there?.status === 'identical' || there?.status === 'ahead'
  }
  for (const other of ahead) if (await contains(other.sha)) return waitFor(other, sha)
  if (live === undefined || !(await contains(live.sha))) return undefined
  // A source may go back to what it held before, and says so once.
  if (history === OF_ARRIVAL && isDisturbed) return undefined
  if (live.sha === sha) return endedBy(`#${live.number} has deployed this commit already.`)
  // What is live may have been taken off the branch; then this commit is the way back.
  const isOff =
    head !== undefined &&
    !['identical', 'ahead'].includes(
      (await history.compare(repository, live.sha, head))?.status ?? 'identical',
    )
  return isOff ? undefined : endedBy(newerThere(live))
}

/**
 * Whether what somebody has asked for was held for so long that a newer commit has come there meanwhile, or is about to:
 * nobody wanted that one taken away. Whoever asked for something older than what was there then, wanted to go back.
 */
export async function overtakenMeanwhile(
  deployment: Deployment,
  { before, live, ahead }: Meanwhile,
  { history }: { readonly history: History },
): Promise<Outcome | undefined> {
  if (deployment.task !== 'deploy') return undefined // another task puts nothing in place
  if (live === undefined && ahead.length === 0) return undefined
  const isOlderThan = async (other: Place): Promise<boolean> =>
    (await history.compare(deployment.repository, deployment.sha, other.sha))?.status === 'ahead'
  if (asksToGoBack(deployment) || (before !== undefined && (await isOlderThan(before)))) return undefined
  for (const other of ahead) if (await isOlderThan(other)) return waitFor(other, deployment.sha)
  return live !== undefined && (await isOlderThan(live)) ? endedBy(newerThere(live)) : undefined
}

/**
 * The same of what is not at GitHub. Which version is newer tells the order in which a source was seen to hold them: who has
 * named none, was given what it held then.
 */
export function overtakenByPoll(
  { task, payload, sha }: Deployment,
  { live, ahead }: Meanwhile,
): Outcome | undefined {
  if (task !== 'deploy' || askedFor(payload) !== undefined) return undefined
  const isNewer = (other: typeof live): boolean => other?.origin === 'poll' && other.sha !== sha
  const newer = ahead.find(isNewer)
  if (newer !== undefined) return waitFor(newer, sha)
  return live !== undefined && isNewer(live) ? endedBy(newerThere(live)) : undefined
}

type Place = NonNullable<Meanwhile['before']>

/** Whether a person has asked for what was there before, in the payload that we have made of that. */
const asksToGoBack = ({ origin, payload }: Deployment): boolean =>
  origin === 'person' && TO_GO_BACK.test(String(askedFor(payload)))
const askedFor = (payload: string): unknown => Reflect.get(Object(JSON.parse(payload)), 'asked_for')
const TO_GO_BACK = /^(?::previous|#\d+)$/

const newerThere = ({ number, sha }: Place): string =>
  `#${number} has deployed ${short(sha)}, which is newer, already.`

const waitFor = ({ number, sha: other }: Place, sha: string): Outcome => ({
  kind: 'wait',
  reason: 'newer_first',
  detail: `Waiting for #${number}, which deploys ${other === sha ? 'the same commit' : 'a newer one'}`,
  lookAgainMs: undefined,
})

const endedBy = (detail: string): Outcome => ({
  kind: 'end',
  state: 'cancelled',
  reason: 'overtaken',
  detail,
})
