import type { GitHub } from '../github/github.ts'
import type { OwedReport } from '../store/store.ts'
import type { OwedCommitStatus } from './commit-status.ts'
import { withLinkThatFits } from './long-links.ts'
import type { Recipient } from './outbox.ts'

/**
 * Statuses of commits, to whom the statuses of deployments go as well. One whose answer was lost is looked for before
 * it is sent again; what gave way, or was interrupted in a life of which a restored backup knows nothing, only ends
 * what is still pending.
 */
export const commitChannel = (github: () => GitHub, statuses: Recipient): Recipient => ({
  name: 'github commit',
  channel: 'github-commit',
  limitsOf: statuses.name,
  isMinor: true,
  freshMs: 0, // a commit has one status: only the newest counts
  get pace() {
    return statuses.pace
  },
  async send({ deployment: { repository, reason }, body }: OwedReport, again) {
    const { sha, onlyOverPending, ...status } = body as OwedCommitStatus
    const isDoubtful = onlyOverPending || reason === 'interrupted'
    if (again || isDoubtful) {
      const said = await github().commitStatus(repository, sha, status.context)
      if (said?.state === status.state && said.description === status.description) return
      if (isDoubtful && said?.state !== 'pending') return
    }
    await withLinkThatFits(status.targetUrl, (targetUrl) =>
      github().createCommitStatus(repository, sha, { ...status, targetUrl }),
    )
  },
  failureOf: statuses.failureOf,
})
