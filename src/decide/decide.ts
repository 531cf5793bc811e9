import type { EnvironmentConfig, RepositoryConfig } from '../config/config.ts'
import { IGNORED, type EndReason, type IgnoredReason } from '../deployment/reasons.ts'
import type { Signal } from '../deployment/signal.ts'

/** Our answer for one signal. `refuse` is ours to report: the deployment is recorded and ends at once. */
export type Decision =
  | { readonly verdict: 'deploy'; readonly environment: EnvironmentConfig }
  | {
      readonly verdict: 'refuse'
      readonly environment: EnvironmentConfig
      readonly reason: EndReason
      readonly detail: string
    }
  | { readonly verdict: 'skip'; readonly reason: IgnoredReason; readonly detail: string }

/** What decisions are made from, beside the signal. */
export interface Facts {
  /** By `owner/name` in lower case. */
  readonly repositories: ReadonlyMap<string, RepositoryConfig>
  /** By GitHub's numeric id: under which name a repository was configured when we last heard of it. */
  readonly knownAs: ReadonlyMap<number, string>
}

/** Should this signal deploy? Pure; the first rule that answers wins. */
export function decide(signal: Signal, { repositories, knownAs }: Facts): Decision {
  const { name, githubId } = signal.repository
  // GitHub may have renamed the repository while the configuration has not.
  const repository = repositories.get(name.toLowerCase()) ?? repositories.get(knownAs.get(githubId) ?? '')
  if (repository === undefined) return skip('repository_not_configured', name)
  const environment = repository.environments.get(signal.environment.toLowerCase())
  if (environment === undefined)
    return skip('environment_not_configured', `${repository.name} ${signal.environment}`)
  if (signal.byActions && !environment.acceptActionsDeployments) return skip('made_by_actions')
  if (signal.task !== 'deploy')
    return { verdict: 'refuse', environment, reason: 'task_unknown', detail: `Unknown task: ${signal.task}` }
  return { verdict: 'deploy', environment }
}

const skip = (reason: IgnoredReason, which?: string): Decision => ({
  verdict: 'skip',
  reason,
  detail: which === undefined ? IGNORED[reason] : `${IGNORED[reason]} (${which})`,
})
