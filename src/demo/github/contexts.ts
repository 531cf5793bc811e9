import type { CheckRun, CommitStatus, Repository } from './state.ts'

/** The newest status of each context of a commit, newest first. */
export const latestStatuses = ({ commitStatuses }: Repository, sha: string): CommitStatus[] =>
  latestBy(commitStatuses, sha, ({ context }) => context.toLowerCase())

/** The newest run of each check of a commit, newest first. Of one name there may be several, in different suites. */
export const latestCheckRuns = ({ checkRuns }: Repository, sha: string): CheckRun[] =>
  latestBy(checkRuns, sha, ({ suiteId, app, name }) => `${suiteId}/${app}/${name}`)

/** The one word for all statuses of a commit; none at all is `pending`. Checks do not count here. */
export function combinedState(statuses: readonly CommitStatus[]): 'success' | 'pending' | 'failure' {
  if (statuses.some(({ state }) => state === 'error' || state === 'failure')) return 'failure'
  return statuses.length > 0 && statuses.every(({ state }) => state === 'success') ? 'success' : 'pending'
}

/**
 * What GitHub holds against a deployment of the commit: of the required contexts, or of all, those that are
 * not literally `success`. A skipped check counts against it here, unlike in branch protection.
 */
export function unmetContexts(
  repository: Repository,
  sha: string,
  required: readonly string[] | undefined,
): { readonly context: string; readonly state: string }[] {
  const known: { readonly context: string; readonly state: string }[] = [
    ...latestStatuses(repository, sha).map(({ context, state }) => ({ context, state })),
    ...latestCheckRuns(repository, sha).map(({ name, conclusion }) => ({
      context: name,
      state: conclusion ?? 'pending',
    })),
  ]
  const wanted =
    required === undefined
      ? known
      : required.flatMap((context) => {
          const found = known.filter((one) => one.context.toLowerCase() === context.toLowerCase())
          return found.length > 0 ? found : [{ context, state: 'pending' }]
        })
  return wanted.filter(({ state }) => state !== 'success')
}

function latestBy<Item extends { readonly sha: string }>(
  items: readonly Item[],
  sha: string,
  key: (item: Item) => string,
): Item[] {
  const latest = new Map<string, Item>()
  for (const item of items) if (item.sha === sha) latest.set(key(item), item)
  return [...latest.values()].toReversed()
}
