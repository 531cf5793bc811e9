import { EVERYWHERE } from '../deployment/gates.ts'
import { problem, type FerrymanError } from '../errors.ts'
import { closest } from './closest.ts'
import type { EnvironmentConfig, RepositoryConfig } from './config.ts'

type Repositories = ReadonlyMap<string, RepositoryConfig>

/** What somebody names: everything, a repository, or one of its environments. */
interface PlaceWanted {
  readonly repository?: string | undefined
  readonly environment?: string | undefined
}

/** The place of a lock, as it is configured; throws `place_unknown`, which says what is meant perhaps. */
export function placeIn(repositories: Repositories, { repository, environment }: PlaceWanted): string {
  if (repository === undefined) return EVERYWHERE
  const found = repositoryIn(repositories, repository)
  if (environment === undefined) return found.name.toLowerCase()
  return `${found.name}/${namedIn(found, environment).name}`.toLowerCase()
}

/**
 * The environment that somebody names; without a name `production`, or the only one. Throws `place_unknown`, which
 * says what is meant perhaps.
 */
export function environmentIn(
  repositories: Repositories,
  repository: string,
  environment?: string,
): EnvironmentConfig {
  const found = repositoryIn(repositories, repository)
  const [only, ...others] = found.environments.values()
  const usual = found.environments.get('production') ?? (others.length === 0 ? only : undefined)
  return environment === undefined && usual !== undefined
    ? usual
    : namedIn(found, environment ?? 'production')
}

function repositoryIn(repositories: Repositories, name: string): RepositoryConfig {
  const found = repositories.get(name.toLowerCase())
  if (found !== undefined) return found
  throw unknown(
    name,
    name,
    [...repositories.values()].map((one) => one.name),
  )
}

function namedIn({ name, environments }: RepositoryConfig, environment: string): EnvironmentConfig {
  const found = environments.get(environment.toLowerCase())
  if (found !== undefined) return found
  throw unknown(
    `${name} ${environment}`,
    environment,
    [...environments.values()].map((one) => one.name),
  )
}

function unknown(place: string, word: string, known: readonly string[]): FerrymanError {
  const meant = closest(word, known)
  const hint = meant === undefined ? `There are: ${known.slice(0, 20).join(', ')}.` : `Did you mean ${meant}?`
  return problem('place_unknown', { place, hint })
}
