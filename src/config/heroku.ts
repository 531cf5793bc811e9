import { z } from 'zod'

import type { HerokuRecipe, Recipe } from '../deployment/recipe.ts'
import { expecting, reference, text } from './expecting.ts'
import type { Path } from './positions.ts'
import type { EnvironmentEntry } from './schema.ts'
import { readValue } from './values.ts'
import { originIn, type Level, type WorkOptions, type WorkReading } from './work.ts'
import { folderInWorkspace } from './workspace.ts'

const APP = 'the name of an app of Heroku: 3 to 30 of a-z, 0-9 and "-", beginning with a letter'
const URL_OF_GIT = 'an address such as https://git.heroku.com/shop.git, over https and without credentials'
const KEY = 'an API key'

/** The keys of `heroku`. */
export const HEROKU = {
  app: text(APP)
    .refine((given) => /^[a-z][a-z0-9-]{1,28}[a-z0-9]$/.test(given), expecting(APP))
    .optional()
    .describe('The name of the app. Required.'),
  api_key: reference(KEY).describe(
    'A key that may deploy it, as `heroku authorizations:create` makes it: ${NAME} or {file: path}. Required.',
  ),
  branch: z.enum(['main', 'master'], expecting('main or master')).optional().meta({
    description: 'The branch that is pushed to. Heroku builds what comes to these two, and nothing else.',
    default: 'main',
  }),
  url: text(URL_OF_GIT)
    .refine(isSafe, expecting(URL_OF_GIT))
    .optional()
    .describe(
      'Where it is pushed to, if not to https://git.heroku.com/APP.git: to what works like Heroku. The key is shown there.',
    ),
}

/** Nobody on the way may read the key. */
function isSafe(given: string): boolean {
  const url = URL.canParse(given) ? new URL(given) : undefined
  if (url === undefined || /[@?#\s]/.test(given) || url.pathname === '/') return false
  const isHere = ['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname)
  return given.startsWith('https://') || (isHere && given.startsWith('http://'))
}

/** What may stand in a line of git-credential(1), and in a key. */
export const KEY_SHAPE = /^[\x21-\x7e]+$/

type Entry = NonNullable<EnvironmentEntry['heroku']>
type HerokuWork = Pick<HerokuRecipe, 'kind' | 'folder' | 'app' | 'apiKey' | 'url' | 'branch'>

/** What the levels say under `heroku`, key by key from the nearest level on. */
export function readHeroku(levels: readonly Level[], options: WorkOptions): WorkReading<HerokuWork> {
  const { complain, directory, variables, isBroken } = options
  const find = <Key extends keyof Entry>(key: Key) => {
    const level = levels.find(({ entry }) => entry.heroku?.[key] !== undefined)
    const path: Path =
      level === undefined ? [...originIn(levels, 'heroku'), key] : [...level.path, 'heroku', key]
    return { value: level?.entry.heroku?.[key], path }
  }
  const isUnmentioned = (key: keyof Entry): boolean =>
    !levels.some(({ path }) => isBroken([...path, 'heroku', key]) || isBroken([...path, 'heroku']))
  const { value: app, path: appAt } = find('app')
  const { value: key, path: keyAt } = find('api_key')
  if (app === undefined && isUnmentioned('app')) complain(appAt, 'is missing: expected the name of the app')
  if (key === undefined && isUnmentioned('api_key'))
    complain(keyAt, 'is missing: expected an API key, such as ${HEROKU_API_KEY} or {file: path}')
  const read =
    key === undefined ? undefined : readValue(key, { path: keyAt, directory, environment: variables })
  if (read !== undefined && 'wrong' in read) complain(keyAt, read.wrong)
  const known = read === undefined || 'wrong' in read ? undefined : read
  if (known !== undefined && !KEY_SHAPE.test(known.text))
    complain(keyAt, 'is no API key: it has spaces or other characters in it that no key has')
  const folder = levels.find(({ entry }) => entry.folder !== undefined)?.entry.folder
  return {
    work: {
      kind: 'heroku',
      folder: folderInWorkspace(levels, folder, complain),
      app: app ?? '',
      apiKey: known?.value ?? { literal: '' },
      url: find('url').value ?? `https://git.heroku.com/${app ?? ''}.git`,
      branch: find('branch').value ?? 'main',
    },
    texts: known === undefined ? [] : [{ path: keyAt, ...known }],
    placedBy: undefined, // nobody else is there
  }
}

/** Complains about environments that push to the same app in different lanes: one could push into the build of the other. */
export function createHerokuCheck(complain: WorkOptions['complain']) {
  const seen = new Map<string, { readonly name: string; readonly lane: string }>()
  return (
    name: string,
    { lane, recipe }: { lane: string; recipe: Recipe },
    levels: readonly Level[],
  ): void => {
    if (recipe.kind !== 'heroku') return
    const other = seen.get(recipe.url)
    seen.set(recipe.url, { name, lane })
    if (other === undefined || other.lane === lane) return
    complain(
      originIn(levels, 'heroku'),
      `${recipe.app} is also the app of ${other.name}, and their deployments could meet there: write the same lane in both, such as \`lane: some-name\``,
    )
  }
}
