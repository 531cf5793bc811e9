import { accessSync, constants, existsSync } from 'node:fs'
import { join } from 'node:path'

import type { Config, EnvironmentConfig } from '../config/config.ts'
import type { ReleasesRecipe } from '../deployment/recipe.ts'
import { messageOf } from '../errors.ts'
import { currentRelease, goodReleases, type Good } from '../run/releases.ts'
import { ReleaseFailure } from '../run/sources/failure.ts'
import { firstExisting } from './check-machine.ts'
import { fine, wrong, type Finding } from './findings.ts'

/** Whether the folders of releases can be what they have to be. Nothing is made, nothing is fetched. */
export async function* checkReleases({ repositories }: Config): AsyncGenerator<Finding> {
  for (const { environments } of repositories.values())
    for (const environment of environments.values()) {
      const { releases } = environment.recipe
      if (releases !== undefined) yield* checkFolder(placeOf(environment), releases)
    }
}

const placeOf = ({ repository, name }: EnvironmentConfig): string => `${repository} ${name}`

async function* checkFolder(where: string, releases: ReleasesRecipe): AsyncGenerator<Finding> {
  const { path, shared } = releases
  try {
    accessSync(firstExisting(path), constants.W_OK | constants.X_OK)
    const current = await currentRelease(releases)
    const good = await goodReleases(releases)
    yield fine(`${where}: releases in ${path}: ${good.length} good, ${whichIs(current, good)}`)
  } catch (cause) {
    yield cause instanceof ReleaseFailure
      ? wrong(`${where}: ${cause.message}`, 'Deployments end as release_failed until then.')
      : wrong(
          `${where}: releases cannot be kept in ${path}: ${messageOf(cause)}`,
          'Let the user that runs Ferryman own it.',
        )
  }
  for (const entry of shared) {
    const file = join(path, 'shared', entry)
    if (!entry.endsWith('/') && !existsSync(file))
      yield wrong(`${where}: there is no ${file}`, 'Put it there, or end its name with a slash for a folder.')
  }
}

/** A server that ended between the switch and the proof leaves one of which nobody knows. */
function whichIs(current: string | undefined, good: readonly Good[]): string {
  if (current === undefined) return 'none is current yet'
  const isProved = good.some(({ release }) => release === current)
  return `${current} is current${isProved ? '' : ', which was not proved to be good'}`
}
