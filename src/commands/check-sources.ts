import type { Config } from '../config/config.ts'
import { resolveValue } from '../config/values.ts'
import { FerrymanError, messageOf } from '../errors.ts'
import type { Masker } from '../logs/redact.ts'
import type { ServerSide } from '../run/environment.ts'
import { askSource } from '../run/sources/version.ts'
import { fine, wrong, type Finding } from './findings.ts'

export interface SourcesOptions {
  readonly server: ServerSide
  readonly masker: Pick<Masker, 'add'>
  /** Nobody is asked. */
  readonly offline: boolean
}

const TIMEOUT_MS = 20_000

/** What the sources hold that are not at GitHub. Nothing is fetched. */
export async function* checkSources(
  config: Config,
  { server, masker, offline }: SourcesOptions,
): AsyncGenerator<Finding> {
  const polled = [...config.repositories.values()]
    .flatMap(({ environments }) => [...environments.values()])
    .filter(({ via }) => via === 'none' && !offline)
  for (const environment of polled) {
    const place = `${environment.repository} ${environment.name}`
    try {
      const ask = () =>
        askSource(environment, environment.defaultRef, {
          server,
          hide: masker.add,
          resolve: (value) => resolveValue(value, { environment: server.environment, lookup: config.lookup }),
          signal: new AbortController().signal,
          timeoutMs: TIMEOUT_MS,
        })
      const { sha, ref } = await ask()
      if ((await ask()).sha !== sha) {
        yield wrong(
          `${place}: its source told two versions within a moment, and none counts that it does not tell twice`,
          'Let its server give the same ETag until the content changes.',
        )
        continue
      }
      const often = environment.poll === undefined ? ', and is not asked by itself' : ''
      yield fine(`${place}: its source holds ${sha.slice(0, 7)} (${ref})${often}`)
    } catch (thrown) {
      const hint =
        thrown instanceof FerrymanError
          ? thrown.hint
          : 'Correct `source` or `workspace`, or what answers there.'
      yield wrong(`${place}: its source does not tell what it holds: ${messageOf(thrown)}`, hint)
    }
  }
}
