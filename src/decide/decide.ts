import { isViaGitHub, recipeFor, type EnvironmentConfig, type RepositoryConfig } from '../config/config.ts'
import { errandOf, type Errand } from '../deployment/errand.ts'
import { IGNORED, type EndReason, type IgnoredReason } from '../deployment/reasons.ts'
import type { BranchSignal, DeploymentSignal, Signal } from '../deployment/signal.ts'

/** Our answer for one signal. `refuse` is ours to report: the deployment is recorded and ends at once. */
export type Decision =
  | { readonly verdict: 'deploy'; readonly environments: readonly EnvironmentConfig[] }
  /** Nothing runs: it is done when it is accepted. */
  | {
      readonly verdict: 'errand'
      readonly environments: readonly EnvironmentConfig[]
      readonly errand: Errand['kind']
    }
  | {
      readonly verdict: 'refuse'
      readonly environments: readonly EnvironmentConfig[]
      readonly reason: EndReason
      readonly detail: string
    }
  | Skip

interface Skip {
  readonly verdict: 'skip'
  readonly reason: IgnoredReason
  readonly detail: string
}

/** What decisions are made from, beside the signal. */
export interface Facts {
  /** By `owner/name` in lower case. */
  readonly repositories: ReadonlyMap<string, RepositoryConfig>
  /** By GitHub's numeric id: under which name a repository was configured when we last heard of it. */
  readonly knownAs: ReadonlyMap<number, string>
}

/** Should this signal deploy, and where? Pure; the first rule that answers wins. */
export function decide(signal: Signal, facts: Facts): Decision {
  const repository = repositoryOf(signal, facts)
  if (repository === undefined) return skip('repository_not_configured', signal.repository.name)
  if (!isViaGitHub(repository)) return skip('not_via_github', repository.name)
  return signal.kind === 'deployment'
    ? decideDeployment(signal, repository)
    : decideBranch(signal, repository)
}

interface Named {
  readonly repository: Pick<Signal['repository'], 'name' | 'githubId'>
}

/** The repository that a signal speaks of: GitHub may have renamed it while the configuration has not. */
export const repositoryOf = (
  { repository: { name, githubId } }: Named,
  { repositories, knownAs }: Facts,
): RepositoryConfig | undefined =>
  repositories.get(name.toLowerCase()) ?? repositories.get(knownAs.get(githubId) ?? '')

function decideDeployment(signal: DeploymentSignal, repository: RepositoryConfig): Decision {
  const environment = repository.environments.get(signal.environment.toLowerCase())
  if (environment === undefined)
    return skip('environment_not_configured', `${repository.name} ${signal.environment}`)
  if (signal.byActions && !environment.acceptActionsDeployments) return skip('made_by_actions')
  if (signal.task === 'deploy') return { verdict: 'deploy', environments: [environment] }
  const errand = errandOf(signal.task)
  if (errand !== undefined) return { verdict: 'errand', environments: [environment], errand }
  if (recipeFor(environment, signal.task) !== undefined)
    return { verdict: 'deploy', environments: [environment] }
  return {
    verdict: 'refuse',
    environments: [environment],
    reason: 'task_unknown',
    detail: `Unknown task: ${signal.task}`,
  }
}

function decideBranch(signal: BranchSignal, repository: RepositoryConfig): Decision {
  const listening = [...repository.environments.values()].filter(({ deployOn }) => deployOn === signal.kind)
  if (listening.length === 0)
    return skip('deploys_otherwise', `${signal.kind} to ${repository.name} ${signal.branch}`)
  const branchOf = ({ branch }: EnvironmentConfig): string => branch ?? signal.repository.defaultBranch
  const environments = listening.filter((one) => branchOf(one) === signal.branch)
  if (environments.length > 0) return { verdict: 'deploy', environments }
  const wanted = listening.map((one) => `${one.name} deploys ${branchOf(one)}`).join(', ')
  return skip('branch_not_configured', `${signal.branch}; ${wanted}`)
}

const skip = (reason: IgnoredReason, which?: string): Skip => ({
  verdict: 'skip',
  reason,
  detail: which === undefined ? IGNORED[reason] : `${IGNORED[reason]} (${which})`,
})
