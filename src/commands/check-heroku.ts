import { KEY_SHAPE } from '../config/heroku.ts'
import type { Config } from '../config/config.ts'
import { resolveValue } from '../config/values.ts'
import type { HerokuRecipe, Recipe } from '../deployment/recipe.ts'
import { messageOf } from '../errors.ts'
import { baseEnvironment, type ServerSide } from '../run/environment.ts'
import { targetOf } from '../run/heroku/push.ts'
import { whyNotLetIn } from '../run/heroku/verdict.ts'
import { whyUnreachable } from '../run/workspace/reach.ts'
import { fine, wrong, type Finding } from './findings.ts'

const TIMEOUT_MS = 20_000

export interface HerokuOptions {
  readonly server: ServerSide
  /** Nobody is asked. */
  readonly offline: boolean
}

/** Whether Heroku knows the apps, and takes the keys for them. Nothing is pushed. */
export async function* checkHeroku(
  config: Config,
  { server, offline }: HerokuOptions,
): AsyncGenerator<Finding> {
  if (offline) return
  const variables = baseEnvironment(server, {})
  const resolve = (one: HerokuRecipe): string =>
    resolveValue(one.apiKey, { environment: server.environment, lookup: config.lookup })
  for (const { where, recipe } of pushedIn(config)) {
    const { app, url } = recipe
    const token = async () => {
      const key = resolve(recipe)
      if (!KEY_SHAPE.test(key)) throw new Error('heroku.api_key is no API key')
      return key
    }
    const why = await whyUnreachable(targetOf(recipe), { variables, token, timeoutMs: TIMEOUT_MS }).catch(
      messageOf,
    )
    yield why === undefined
      ? fine(`${where}: Heroku takes the key for ${app}`)
      : wrong(
          `${where}: ${whyNotLetIn([why], app) ?? `${url} cannot be reached: ${why}`}`,
          'Deployments end as target_unavailable until then.',
        )
  }
}

/** What is pushed somewhere, each place and key once. */
function pushedIn({ repositories }: Config): readonly { where: string; recipe: HerokuRecipe }[] {
  const all = [...repositories.values()].flatMap(({ environments }) =>
    [...environments.values()].flatMap(({ repository, name, recipe, tasks }) =>
      [recipe, ...tasks.values()]
        .filter((one: Recipe) => one.kind === 'heroku')
        .map((one) => ({ where: `${repository} ${name}`, recipe: one })),
    ),
  )
  const keyOf = ({ recipe: { url, apiKey } }: (typeof all)[number]): string => JSON.stringify([url, apiKey])
  return [...new Map(all.map((one) => [keyOf(one), one])).values()]
}
