import type { Wish } from './cancel.ts'
import type { JournalLine } from './journal.ts'
import type { RecordedDeployment, Records } from './records.ts'

interface Seen {
  readonly wishes: readonly Wish[]
  readonly records: Pick<Records, 'deployments'>
  readonly journal: readonly JournalLine[]
}

/** What was taken back never begins; of what ran nothing further begins, and it ends as that or as it had ended before. */
export function staysCancelled({ wishes, records, journal }: Seen): string[] {
  const starts = Map.groupBy(
    journal.filter(({ what }) => what === 'start'),
    ({ deployment }) => deployment,
  )
  return wishes.flatMap((wish) => {
    if (wish.outcome === 'unheard') return []
    const deployment = records.deployments.find(({ id }) => id === wish.id)
    if (deployment === undefined || wish.outcome === 'unknown')
      return [`deployment ${wish.id} was to be cancelled, and is not known`]
    const { name } = deployment
    const wrong = fits(wish, deployment)
      ? []
      : [`${name} was answered "${wish.outcome}", and ended as ${deployment.state}, ${deployment.reason}`]
    const ran = (starts.get(wish.id) ?? []).map(({ step }) => step).filter((step) => step > mayRun(wish))
    return [...wrong, ...ran.map((step) => `step ${step} of ${name} began when it was cancelled`)]
  })
}

/** The last step that may have begun before the answer. */
function mayRun({ outcome, started, ended }: Wish): number {
  if (outcome === 'cancelled') return 0
  return outcome === 'ended_already' ? started : ended + 1
}

function fits({ outcome, wasStopping }: Wish, { state, reason }: RecordedDeployment): boolean {
  if (outcome === 'ended_already') return true // how it had ended is seen elsewhere
  if (state === 'cancelled') return reason === 'by_person'
  if (outcome === 'cancelled') return false
  return state === 'succeeded' || reason === 'command_failed' || (reason === 'interrupted' && wasStopping)
}

/** Whoever is said to have cancelled something has done so. */
export function cancelledByPeople({ wishes, records }: Pick<Seen, 'wishes' | 'records'>): string[] {
  const wanted = new Set(wishes.map(({ id }) => id))
  return records.deployments
    .filter(({ id, reason }) => reason === 'by_person' && !wanted.has(id))
    .map(({ name }) => `${name} ended by a person, and nobody had asked for it`)
}
