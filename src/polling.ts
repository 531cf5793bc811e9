import type { Config, EnvironmentConfig } from './config/config.ts'
import { nameOf } from './deployment/deployment.ts'
import type { SourceVersion } from './deployment/source.ts'
import { messageOf } from './errors.ts'
import type { Journal } from './logs/journal.ts'
import { comeJust, factsOfPlace } from './pipeline.ts'
import { startPoller, type Poller } from './receive/poller.ts'
import { askSource, type VersionParts } from './run/sources/version.ts'
import type { NewDeployment, ReportsFor, Store } from './store/store.ts'

export interface PollingParts extends Omit<VersionParts, 'signal'> {
  config(): Config
  readonly store: Pick<Store, 'takeUp'>
  readonly reports: ReportsFor
  mask(text: string): string
  newNonce(): string
  readonly clock: () => number
  readonly journal: Journal
  /** Something new is waiting. */
  wake(): void
}

/** In place of who asked: no login has a space in it. */
const A_POLL = 'a poll'

/** Deploys what is not at GitHub whenever its source is seen to hold something new. */
export function startPolling(parts: PollingParts): Poller {
  const { config, clock, journal, mask } = parts
  return startPoller({
    environments: () =>
      [...config().repositories.values()]
        .flatMap(({ environments }) => [...environments.values()])
        .filter(({ poll }) => poll !== undefined),
    ask: (environment, signal) =>
      askSource(environment, undefined, { ...parts, signal }).catch((thrown: unknown) => ({
        why: mask(messageOf(thrown)),
      })),
    async take(environment, version) {
      const deployment = await parts.store.takeUp(deploymentOf(environment, version, parts), clock())
      if (deployment === undefined) return
      const { id, sha } = deployment
      journal.info('source:changed', { deployment: nameOf(deployment), id, sha, ref: mask(version.ref) })
      parts.wake()
    },
    clock,
    steady: () => performance.now(),
    random: Math.random,
    after(ms, call) {
      const timer = setTimeout(call, ms)
      return () => clearTimeout(timer)
    },
    journal,
  })
}

function deploymentOf(
  environment: EnvironmentConfig,
  { sha, ref, branch }: SourceVersion,
  { clock, newNonce, reports, mask }: PollingParts,
): NewDeployment {
  const nonce = newNonce()
  const said = mask(ref)
  return {
    ...factsOfPlace(environment),
    repository: environment.repository,
    repositoryGithubId: 0,
    isPrivate: true, // nobody who may not know of it is told
    origin: 'poll',
    authors: [],
    branch,
    nonce,
    githubId: undefined,
    hold: comeJust('deciding', clock()),
    forced: undefined,
    sha,
    ref: said,
    task: 'deploy',
    actor: A_POLL,
    creator: A_POLL,
    creatorAvatar: '',
    description: `${said}, found in its source`,
    payload: JSON.stringify({ deploy_user: A_POLL, ferryman: nonce }),
    apiUrl: '',
    failure: undefined,
    reports,
  }
}
