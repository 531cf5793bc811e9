import { isOurContext } from '../deployment/status.ts'
import type { CheckRun, ReportedChecks } from '../github/github.ts'

/** One check of a commit as people know it, with the word that GitHub has for how it stands. */
export interface Check {
  readonly name: string
  readonly word: string
}

/** How the required checks of a commit stand. `failed` and `pending` name those to blame. */
export type Judgement =
  | { readonly verdict: 'passed' }
  | { readonly verdict: 'pending' | 'failed'; readonly checks: readonly Check[] }
  /** `all` are required, and nothing was reported. */
  | { readonly verdict: 'nothing' }

/** Branch protection takes these for passing: https://docs.github.com/pull-requests, "required status checks". */
const PASSING: ReadonlySet<string> = new Set(['success', 'neutral', 'skipped'])
/** `action_required`: somebody may still act. `expected`: GitHub's word for a check that has not been reported. */
const OPEN: ReadonlySet<string> = new Set(
  'pending queued in_progress waiting requested expected action_required'.split(' '),
)

type Standing = 'passed' | 'pending' | 'failed'

const standingOf = (word: string): Standing => {
  if (PASSING.has(word)) return 'passed'
  return OPEN.has(word) ? 'pending' : 'failed'
}

/** Without what deployments say at a commit themselves: a deployment that waited for these would wait for itself. */
export const notOurs = (checks: readonly Check[]): readonly Check[] =>
  checks.filter(({ name }) => !isOurContext(name))

/**
 * Judges what was reported about a commit. Pure. `all` are all but those that deployments report. Where a status and a check share a name both must pass; of a
 * check that ran again in the same app the newest run counts; what was not reported is pending, never passed.
 */
export function judge(required: readonly string[] | 'all', reported: ReportedChecks): Judgement {
  const statuses = reported.statuses.map(({ context, state }) => ({ name: context, word: state }))
  const runs = newestRuns(reported.checkRuns).map((run) => ({ name: run.name, word: wordOf(run) }))
  const all: readonly Check[] = [...(required === 'all' ? notOurs(statuses) : statuses), ...runs]
  if (required === 'all') return all.length === 0 ? { verdict: 'nothing' } : judgeAll(all)
  const key = (name: string): string => name.toLowerCase() // GitHub compares the names of contexts so
  return judgeAll(
    required.flatMap((name) => {
      const found = all.filter((one) => key(one.name) === key(name))
      return found.length > 0 ? found : [{ name, word: 'expected' }]
    }),
  )
}

/** The same for checks that GitHub held against a deployment itself. */
export function judgeAll(checks: readonly Check[]): Judgement {
  const those = (standing: Standing): readonly Check[] =>
    checks.filter(({ word }) => standingOf(word) === standing)
  const [failed, pending] = [those('failed'), those('pending')]
  if (failed.length > 0) return { verdict: 'failed', checks: failed }
  return pending.length > 0 ? { verdict: 'pending', checks: pending } : { verdict: 'passed' }
}

const wordOf = ({ status, conclusion }: CheckRun): string =>
  status === 'completed' ? (conclusion ?? 'pending') : status

function newestRuns(runs: readonly CheckRun[]): readonly CheckRun[] {
  const newest = new Map<string, CheckRun>()
  for (const run of runs) {
    const key = `${run.appId}/${run.name.toLowerCase()}`
    const other = newest.get(key)
    if (other === undefined || other.id < run.id) newest.set(key, run)
  }
  return [...newest.values()]
}

const MOST_NAMED = 3

/** `ci/test, lint and 2 more`, each once. */
export function namesOf(checks: readonly Check[], show = ({ name }: Check) => name): string {
  const names = [...new Set(checks.map(show))]
  const more = names.length - MOST_NAMED
  return more > 0 ? `${names.slice(0, MOST_NAMED).join(', ')} and ${more} more` : names.join(', ')
}
