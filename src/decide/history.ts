import type { Deployment } from '../deployment/deployment.ts'
import type { Comparison, GitHub } from '../github/github.ts'
import { isForbidden } from '../github/limits.ts'

/** Where commits stand to each other. Commits do not change, so that an answer is asked for once. */
export interface History {
  /** How `head` stands to `base`; undefined where GitHub does not know or does not tell. */
  compare(repository: string, base: string, head: string): Promise<Comparison | undefined>
  /** What waits for one branch, by its place on it. */
  newestFirst(waiting: readonly Deployment[]): Promise<Sorted>
}

interface Sorted {
  /** The newest commit of the branch; undefined where the token may not see it. */
  readonly head: string | undefined
  /** Those on the branch, the newest commit first. */
  readonly onBranch: readonly Deployment[]
  /** Of commits that are not on the branch any more. */
  readonly off: readonly Deployment[]
  /** GitHub does not show them on the branch; it may only be behind with its answers. */
  readonly unclear: readonly Deployment[]
}

const MOST_KEPT = 10_000

export function createHistory(github: () => GitHub): History {
  const known = new Map<string, Comparison>()

  async function compareOr(
    repository: string,
    base: string,
    head: string,
  ): Promise<Comparison | 'forbidden' | undefined> {
    if (base === head) return { status: 'identical', aheadBy: 0, behindBy: 0 }
    const key = `${base}...${head}`
    const answer = known.get(key) ?? (await permitted(() => github().compare(repository, base, head)))
    if (answer === 'forbidden' || answer === undefined) return answer
    if (known.size >= MOST_KEPT) known.clear()
    known.set(key, answer)
    return answer
  }

  async function compare(repository: string, base: string, head: string): Promise<Comparison | undefined> {
    const answer = await compareOr(repository, base, head)
    return answer === 'forbidden' ? undefined : answer
  }

  async function newestFirst(waiting: readonly Deployment[]): Promise<Sorted> {
    const [first] = waiting
    const [none, byArrival] = [
      { head: undefined, onBranch: [], off: [], unclear: [] },
      lastComeFirst(waiting),
    ]
    if (first?.branch === undefined) return none
    const { repository, branch } = first
    const head = await permitted(() => github().branchHead(repository, branch))
    if (head === undefined && (await isVisible(repository))) return { ...none, unclear: waiting }
    // A token that may not see the branch leaves only the order of arrival.
    if (head === undefined || head === 'forbidden') return { ...none, onBranch: byArrival }

    const placed: { readonly one: Deployment; readonly place: Comparison | undefined }[] = []
    for (const one of waiting) {
      const place = await compareOr(repository, one.sha, head)
      if (place === 'forbidden') return { ...none, onBranch: byArrival }
      placed.push({ one, place })
    }
    const those = (...statuses: readonly (Comparison['status'] | undefined)[]) =>
      placed.filter(({ place }) => statuses.includes(place?.status))
    return {
      head,
      onBranch: those('identical', 'ahead')
        .toSorted((a, b) => (a.place?.aheadBy ?? 0) - (b.place?.aheadBy ?? 0) || b.one.id - a.one.id)
        .map(({ one }) => one),
      off: those('diverged').map(({ one }) => one),
      unclear: those('behind', undefined).map(({ one }) => one),
    }
  }

  const isVisible = async (repository: string): Promise<boolean> => {
    const facts = await permitted(() => github().repository(repository))
    return facts !== undefined && facts !== 'forbidden'
  }
  return { compare, newestFirst }
}

/** Of what is not at GitHub nobody knows more than the order in which it came: the last is the newest. */
export const OF_ARRIVAL: History = {
  compare: (_, base, head) =>
    Promise.resolve(base === head ? { status: 'identical', aheadBy: 0, behindBy: 0 } : undefined),
  newestFirst: (waiting) =>
    Promise.resolve({ head: undefined, onBranch: lastComeFirst(waiting), off: [], unclear: [] }),
}

const lastComeFirst = (waiting: readonly Deployment[]): readonly Deployment[] =>
  waiting.toSorted((a, b) => b.id - a.id)

/** A missing right is an answer too: this cannot be known. Limits and failures are not. */
async function permitted<T>(ask: () => Promise<T>): Promise<T | 'forbidden'> {
  try {
    return await ask()
  } catch (thrown) {
    if (isForbidden(thrown)) return 'forbidden'
    throw thrown
  }
}
