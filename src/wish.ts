import { recipeFor, type Config, type EnvironmentConfig } from './config/config.ts'
import { environmentIn } from './config/places.ts'
import { commitAsked } from './decide/asked.ts'
import { forcedBy, wordsOf } from './decide/force.ts'
import { nameOf, type Deployment } from './deployment/deployment.ts'
import { goingBack } from './deployment/recipe.ts'
import { FerrymanError, problem } from './errors.ts'
import { GitHubError, type GitHub } from './github/github.ts'
import type { Journal } from './logs/journal.ts'
import { comeJust, factsOfPlace } from './pipeline.ts'
import type { NewDeployment, ReportsFor, Store } from './store/store.ts'
import { versionAsked, type AskSource } from './version-asked.ts'

/** A deployment that a person asks Ferryman itself for. Words from outside. */
export interface Wish {
  readonly by: string
  /** `owner/name` */
  readonly repository: string
  /** Undefined: `production`, or the only one. */
  readonly environment: string | undefined
  /** A branch, a tag, a commit, `:current` or `:previous`; undefined: the branch of the environment. */
  readonly ref: string | undefined
  /** Undefined: `deploy`. */
  readonly task: string | undefined
  readonly reason: string | undefined
  /** It goes back: nothing goes there by itself until that is over. */
  readonly pin?: boolean
  /** It is to pass what stands in its way. */
  readonly force: boolean
  /** The same key of the same person again is the same wish; undefined: a new one. */
  readonly key: string | undefined
}

export interface WishParts {
  config(): Config
  /** By GitHub's numeric id, the name under which a repository was configured; kept up to date here. */
  readonly knownAs: Map<number, string>
  readonly store: Pick<Store, 'ask' | 'byNonce' | 'refFor'>
  github(): GitHub
  readonly askSource: AskSource
  readonly reports: ReportsFor
  /** The same, and that it was forced. */
  readonly forcedReports: ReportsFor
  mask(text: string): string
  /** Random, or for the same words always the same; nobody else can tell which. */
  newNonce(words?: readonly string[]): string
  readonly clock: () => number
  readonly journal: Journal
  /** Something new is waiting. */
  wake(): void
}

/** What a wish came to. */
export interface Granted {
  readonly isNew: boolean
  /** What was asked for, in the words of whoever asked. */
  readonly said: string
  readonly deployment: Deployment
}

/**
 * From a person's wish to a deployment with a number: finds the place and the commit, and records it, held. It goes on
 * as everything does that is held. Throws what is wrong with the wish, `github_unasked` or `not_recorded`, and has
 * recorded nothing then.
 */
export async function takeWish(wish: Wish, parts: WishParts): Promise<Granted> {
  const { store, clock, journal } = parts
  const environment = environmentIn(parts.config().repositories, wish.repository, wish.environment)
  const { task = 'deploy' } = wish
  if (recipeFor(environment, task) === undefined)
    throw problem('task_unknown', { task, place: `${environment.repository} ${environment.name}` })
  if (wish.pin === true && task !== 'deploy')
    throw problem('request_wrong', { list: 'pin (only what is deployed can be gone back to, no task)' })
  const { by, reason } = wordsOf(wish, parts.mask)
  const forced = wish.force ? forcedBy({ by, reason }, environment) : undefined
  const nonce = wish.key === undefined ? parts.newNonce() : parts.newNonce([wish.by, wish.key])
  const before = await recorded(store.byNonce(nonce))
  if (before !== undefined) return again(before, { wish, environment })
  const { facts, commit } = await findCommit(wish, environment, parts)
  const { sha, ref, said } = commit
  const configuredAs = environment.repository.toLowerCase()
  const known = [...parts.knownAs].find(([, name]) => name === configuredAs)
  const at = clock()
  const place = factsOfPlace(environment, task)
  const wanted: NewDeployment & { nonce: string } = {
    ...place,
    recipe: wish.pin === true ? goingBack(place.recipe) : place.recipe,
    repository: facts?.name ?? environment.repository,
    repositoryGithubId: facts?.githubId ?? known?.[0] ?? 0,
    // What is not known is not shown to everybody; what is not at GitHub is told to nobody but those who may know.
    isPrivate: facts?.isPrivate ?? environment.via === 'none',
    origin: 'person',
    authors: [],
    branch: undefined,
    nonce,
    githubId: undefined,
    hold: comeJust('deciding', at),
    forced,
    sha,
    ref,
    task,
    actor: by,
    creator: by,
    creatorAvatar: '',
    description: reason ?? `${said}, asked for by ${by}`,
    payload: JSON.stringify({
      deploy_user: by,
      asked_for: wish.ref,
      reason,
      ...(wish.pin === true ? { goes_back: true } : {}),
      ...(wish.force ? { forced: true } : {}),
      ferryman: nonce,
    }),
    apiUrl: '',
    failure: undefined,
    ...(wish.pin === true ? { pin: { by, reason, leaves: await goneFrom(environment, sha, store) } } : {}),
    supersedes: environment.order === 'latest',
    reports: forced === undefined ? parts.reports : parts.forcedReports,
  }
  const { deployment, isNew } = await recorded(store.ask(wanted, at))
  if (!isNew) return again(deployment, { wish, environment })
  if (facts !== undefined) parts.knownAs.set(facts.githubId, configuredAs)
  const { id } = deployment
  journal.info('deployment:asked-for', { deployment: nameOf(deployment), id, by, sha, ref: said, forced })
  parts.wake()
  return { isNew, said, deployment }
}

/** The number of what is there, where it is another commit. */
async function goneFrom(
  environment: EnvironmentConfig,
  sha: string,
  { refFor }: Pick<Store, 'refFor'>,
): Promise<number | undefined> {
  const place = { configuredAs: environment.repository.toLowerCase(), environment: environment.name }
  const live = await refFor(place, ':current')
  return live?.sha === sha ? undefined : live?.number
}

async function findCommit(
  wish: Wish,
  environment: EnvironmentConfig,
  { github, store, askSource }: WishParts,
) {
  if (environment.via === 'none')
    return { facts: undefined, commit: await versionAsked(wish.ref, environment, { store, askSource }) }
  const facts = async () => {
    try {
      return await github().repository(environment.repository)
    } catch (thrown) {
      // Where to go back to is known here, and nobody goes back because all is well.
      if (wish.pin === true && thrown instanceof GitHubError) return undefined
      throw thrown
    }
  }
  try {
    const known = await facts()
    const commit = await commitAsked(wish.ref, { environment, facts: known }, { github, store })
    return { facts: known, commit }
  } catch (thrown) {
    if (!(thrown instanceof GitHubError)) throw thrown
    throw problem('github_unasked', { cause: thrown.message }, thrown)
  }
}

/** The deployment that the same wish has come to before; throws `key_used` where it was another wish. */
function again(
  deployment: Deployment,
  { wish, environment }: { readonly wish: Wish; readonly environment: EnvironmentConfig },
): Granted {
  const { configuredAs, environment: name, payload, ref, task } = deployment
  const {
    asked_for: asked,
    goes_back: goesBack = false,
    forced = false, // as it was asked for; somebody may have forced it since
  } = Object(JSON.parse(payload)) as Record<string, unknown>
  const isSame =
    configuredAs === environment.repository.toLowerCase() &&
    name.toLowerCase() === environment.name.toLowerCase() &&
    asked === wish.ref &&
    goesBack === (wish.pin ?? false) &&
    task === (wish.task ?? 'deploy') &&
    forced === wish.force
  if (!isSame) throw problem('key_used', { name: nameOf(deployment) })
  return { isNew: false, said: wish.ref ?? ref, deployment }
}

const recorded = <T>(work: Promise<T>): Promise<T> =>
  work.catch((cause: unknown) => {
    throw cause instanceof FerrymanError ? cause : problem('not_recorded', {}, cause)
  })
