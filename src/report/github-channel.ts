import type { DeploymentStatus } from '../deployment/status.ts'
import { messageOf } from '../errors.ts'
import { GitHubError, type GitHub } from '../github/client.ts'
import type { OwedReport } from '../store/store.ts'
import type { Channel } from './outbox.ts'
import { retryAfter, type SendFailure } from './rules.ts'

/** Deployment statuses on GitHub. A status whose answer was lost is looked for before it is sent again. */
export const githubChannel = (github: () => GitHub, clock: () => number): Channel => ({
  async send({ deployment, body }: OwedReport, again) {
    const { repository, githubId } = deployment
    const status = body as DeploymentStatus
    if (again && (await arrived(github(), repository, githubId, status))) return
    await github().createStatus(repository, githubId, status)
  },
  failureOf: (thrown) => githubFailure(thrown, clock()),
})

// Every description names its state, so equal state and text is the same report.
async function arrived(
  github: GitHub,
  repository: string,
  githubId: number,
  owed: DeploymentStatus,
): Promise<boolean> {
  const statuses = await github.statuses(repository, githubId)
  return statuses.some(({ state, description }) => state === owed.state && description === owed.description)
}

/**
 * GitHub's own rules: a 403 or 429 is a limit when it says when to come back or that nothing remains; a bare
 * 403 is a missing right. https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
 */
export function githubFailure(thrown: unknown, now: number): SendFailure {
  const error = thrown instanceof GitHubError ? thrown : undefined
  const status = error?.status
  const headers = error?.headers ?? {}
  const isExhausted = headers['x-ratelimit-remaining'] === '0'
  const resetAt = Number(headers['x-ratelimit-reset']) * 1000
  const retryAt =
    retryAfter(headers['retry-after'], now) ?? (isExhausted && resetAt > 0 ? resetAt : undefined)
  const message = messageOf(thrown)
  return {
    message,
    status,
    retryAt,
    limited:
      status === 429 ||
      (status === 403 && (isExhausted || retryAt !== undefined || /rate limit/i.test(message))),
    final: status === 404 || status === 410 || status === 422,
  }
}
