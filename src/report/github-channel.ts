import type { DeploymentStatus } from '../deployment/status.ts'
import { messageOf } from '../errors.ts'
import { GitHubError, type GitHub } from '../github/github.ts'
import { limitOf } from '../github/limits.ts'
import type { Creation } from '../github/pace.ts'
import type { Pace } from '../pace.ts'
import type { Outbox, OwedReport } from '../store/store.ts'
import { withLinkThatFits } from './long-links.ts'
import type { Recipient } from './outbox.ts'
import type { SendFailure } from './rules.ts'

export interface GitHubChannelParts {
  readonly outbox: Pick<Outbox, 'of'>
  readonly pace: () => Pace<Creation>
  readonly clock: () => number
}

/**
 * Deployment statuses on GitHub. A status whose answer was lost is looked for before it is sent again, and no end that
 * GitHub knows is followed by the word that it was interrupted.
 */
export const githubChannel = (
  github: () => GitHub,
  { outbox, pace, clock }: GitHubChannelParts,
): Recipient => {
  const tell = async ({ id, deployment, body }: OwedReport, githubId: number, again: boolean) => {
    const { repository } = deployment
    const status = body as DeploymentStatus
    // One that was running in the database may have ended since: in a life that a restored backup knows nothing of.
    const isDoubtful = deployment.reason === 'interrupted'
    if (again || isDoubtful) {
      const said = await github().statuses(repository, githubId)
      if (isDoubtful && said.some(isEnd)) return
      // What waits in line again, after a lock, says so in the same words as before.
      const earlier = (await outbox.of(deployment.id)).filter(
        (one) => one.id < id && one.channel === 'github' && one.state === 'delivered',
      )
      const toldBefore = earlier.filter((one) => isSame(one.body as DeploymentStatus, status))
      if (said.filter((one) => isSame(one, status)).length > toldBefore.length) return
    }
    await withLinkThatFits(status.logUrl, (logUrl) =>
      github().createStatus(repository, githubId, { ...status, logUrl }),
    )
  }
  return {
    name: 'github',
    channel: 'github',
    get pace() {
      return pace()
    },
    async send(report, again) {
      const { repository, githubId } = report.deployment
      if (githubId === undefined) throw new Error('GitHub has not made this deployment.')
      try {
        await tell(report, githubId, again)
      } catch (thrown) {
        if (!isNotFound(thrown) || !(await github().isGone(repository, githubId))) throw thrown
        throw new GoneError(`${thrown.message}: there is no such deployment`, { cause: thrown })
      }
    },
    failureOf: (thrown) => githubFailure(thrown, clock()),
  }
}

/** What it was to be said of is not at GitHub. */
class GoneError extends Error {}

/** GitHub's word for what is not there, and for what a token may not see or not do. */
const isNotFound = (thrown: unknown): thrown is GitHubError =>
  thrown instanceof GitHubError && thrown.status === 404

// Every description names its state, so equal state and text is the same report.
const isSame = (one: DeploymentStatus, { state, description }: DeploymentStatus): boolean =>
  one.state === state && one.description === description

const isEnd = ({ state }: DeploymentStatus): boolean => ['success', 'failure', 'error'].includes(state)

/** What a failed status means by GitHub's rules. */
function githubFailure(thrown: unknown, now: number): SendFailure {
  const message = messageOf(thrown)
  const unknown = { status: undefined, retryAt: undefined, limited: false, concerns: 'repository' } as const
  if (thrown instanceof GoneError) return { ...unknown, message, status: 404, final: true }
  if (!(thrown instanceof GitHubError)) return { ...unknown, message, final: false }
  const { status } = thrown
  const why = isNotFound(thrown) ? `${message}, as it does to a token that may not see this` : message
  const final = status === 410 || status === 422
  return { message: why, status, ...limitOf(thrown, now), final, concerns: 'repository' }
}
