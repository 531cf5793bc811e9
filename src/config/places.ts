import { closest } from './closest.ts'
import type { RepositoryConfig } from './config.ts'
import { EVERYWHERE } from '../deployment/gates.ts'
import { problem, type FerrymanError } from '../errors.ts'

/** What somebody names: everything, a repository, or one of its environments. */
export interface PlaceWanted {
  readonly repository?: string | undefined
  readonly environment?: string | undefined
}

/** The place of a lock, as it is configured; throws `place_unknown`, which says what is meant perhaps. */
export function placeIn(
  repositories: ReadonlyMap<string, RepositoryConfig>,
  { repository, environment }: PlaceWanted,
): string {
  if (repository === undefined) return EVERYWHERE
  const found = repositories.get(repository.toLowerCase())
  if (found === undefined)
    throw unknown(
      repository,
      repository,
      [...repositories.values()].map(({ name }) => name),
    )
  if (environment === undefined) return found.name.toLowerCase()
  const place = found.environments.get(environment.toLowerCase())
  if (place === undefined) {
    const names = [...found.environments.values()].map(({ name }) => name)
    throw unknown(`${found.name} ${environment}`, environment, names)
  }
  return `${found.name}/${place.name}`.toLowerCase()
}

function unknown(place: string, word: string, known: readonly string[]): FerrymanError {
  const meant = closest(word, known)
  const hint = meant === undefined ? `There are: ${known.slice(0, 20).join(', ')}.` : `Did you mean ${meant}?`
  return problem('place_unknown', { place, hint })
}
