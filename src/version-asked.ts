import type { EnvironmentConfig } from './config/config.ts'
import { deployedAsked, type CommitAsked, type CommitParts } from './decide/asked.ts'
import type { SourceVersion } from './deployment/source.ts'
import { FerrymanError, messageOf, problem } from './errors.ts'

/** Asks the source of an environment that is not at GitHub what a ref means there; without one, what it deploys by itself. */
export type AskSource = (environment: EnvironmentConfig, ref: string | undefined) => Promise<SourceVersion>

/**
 * `commitAsked` for an environment that is not at GitHub. Throws `nothing_deployed`, what is wrong with the ref, or
 * `source_unasked`.
 */
export async function versionAsked(
  given: string | undefined,
  environment: EnvironmentConfig,
  { store, askSource }: Pick<CommitParts, 'store'> & { readonly askSource: AskSource },
): Promise<CommitAsked> {
  const ref = given ?? environment.defaultRef
  const deployed = await deployedAsked(ref, environment, store)
  if (deployed !== undefined) return deployed
  try {
    const { sha, ref: found } = await askSource(environment, ref)
    return { sha, ref: found, said: ref ?? found }
  } catch (thrown) {
    if (thrown instanceof FerrymanError) throw thrown
    const place = `${environment.repository} ${environment.name}`
    throw problem('source_unasked', { place, cause: messageOf(thrown) }, thrown)
  }
}
