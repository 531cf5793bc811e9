import { posix, resolve } from 'node:path'
import { z } from 'zod'

import type { Recipe, ReleasesRecipe, ZipSource } from '../deployment/recipe.ts'
import { fillAddress, IN_ADDRESS, readS3Address } from '../deployment/source.ts'
import { DEFAULTS } from './defaults.ts'
import { expecting, reference, text } from './expecting.ts'
import { gitSourceIn, isGitAddress } from './git-source.ts'
import { placeholdersIn } from './placeholders.ts'
import type { ReadText } from './playbook-options.ts'
import type { Path } from './positions.ts'
import { hasReference } from './references.ts'
import { isTooShort, readValue, type ReadValue } from './values.ts'
import { originIn, type Level, type WorkOptions } from './work.ts'

const ADDRESS =
  'git, or the address of a zip such as https://builds.example.org/shop-{sha}.zip or s3://builds/shop.zip'

/** The keys of `source` in its long form. */
export const SOURCE = {
  url: reference(ADDRESS).describe(
    'The address of a zip, over https, http or s3. {sha}, {short_sha} and {environment} are filled in.',
  ),
  access_key_id: reference('an access key id').describe(
    'For S3, with secret_access_key. Without them a key file, AWS_ACCESS_KEY_ID and the role of the machine are looked for.',
  ),
  secret_access_key: reference('a secret access key').describe('For S3: what belongs to access_key_id.'),
  key_file: text('a path')
    .optional()
    .describe(
      'For S3: a file with lines accessKey=… and secretKey=…; without it ~/.amazon/account-key, if it is there.',
    ),
  region: text('a region such as eu-central-1')
    .optional()
    .describe(
      'For S3: where the bucket is; AWS_REGION, else us-east-1, if not said. The store is asked again where it names another.',
    ),
  endpoint: text('an address such as https://minio.example.org')
    .refine((given) => /^https?:\/\/[^/?#@\s]+\/*$/.test(given), expecting('an address without a path'))
    .optional()
    .describe('For S3: the address of another store than that of Amazon.'),
}

const KEEP = 'a number from 1 to 1000'
const SHARED = 'a path inside of a release, such as storage/ or .env'

/** The keys of `releases`. */
export const RELEASES = {
  path: text('a path').describe(
    'The folder of the releases: absolute, or relative to this file; {environment} is filled in. In it are releases/<number>, shared, and current, which is the last of them that was deployed.',
  ),
  keep: z
    .int(expecting(KEEP))
    .min(1, expecting(KEEP))
    .max(1000, expecting(KEEP))
    .optional()
    .meta({ description: 'How many that have succeeded are kept.', default: DEFAULTS.keep_releases }),
  shared: z
    .array(text(SHARED).refine(isInside, expecting(SHARED)), expecting('a list such as [storage/, .env]'))
    .optional()
    .describe(
      'What all releases have in common: it lies in `shared` and is linked into each. One that ends with a slash is a folder, and is made where it is missing.',
    ),
  target: z.enum(['link', 'directory'], expecting('link or directory')).optional().meta({
    description:
      'What current is: a link, which is switched at once; or, for what cannot follow one, a folder that is made equal to the release.',
    default: 'link',
  }),
}

function isInside(given: string): boolean {
  const name = given.replace(/\/+$/, '')
  return (
    name !== '' && !name.startsWith('/') && posix.normalize(name) === name && !/^\.\.?(?:\/|$)/.test(name)
  )
}

const SOURCE_FORMS = `${ADDRESS}, or a mapping with url`

/** The keys of an environment that make releases. */
export const RELEASE_KEYS = {
  source: z
    .union([text(SOURCE_FORMS), z.strictObject(SOURCE, expecting(SOURCE_FORMS))], expecting(SOURCE_FORMS))
    .optional()
    .describe(
      'What a release is made of: `git`, a checkout of the commit as `workspace` describes it; or a zip. Default git, where there are `releases`. A git repository may be named by its address, also without releases: `url.git/folder#branch` is short for `workspace`, `folder` and `branch`.',
    ),
  releases: z
    .strictObject(RELEASES, expecting('a mapping with path'))
    .optional()
    .describe(
      'Each deployment makes a folder of its own, which becomes the current one when it is complete.',
    ),
}

/** Whether the nearest level that speaks of it makes releases. */
export const hasReleases = (levels: readonly Level[]): boolean =>
  levels.some(({ entry }) => entry.releases !== undefined)

/** Whether what is released is a zip, and no checkout. */
export const isOfArchive = (levels: readonly Level[]): boolean => {
  const given = levels.find(({ entry }) => entry.source !== undefined)?.entry.source
  return given !== undefined && given !== 'git' && gitSourceIn(levels) === undefined
}

/** Where the current release is, for what is run in it without making one; undefined where nothing makes any. */
export function currentIn(
  levels: readonly Level[],
  { directory, environment }: Pick<WorkOptions, 'directory' | 'environment'>,
): string | undefined {
  const given = levels.find(({ entry }) => entry.releases !== undefined)?.entry.releases
  return given && resolve(pathOf(given.path, directory, environment), 'current')
}

const pathOf = (path: string, directory: string, environment: string): string =>
  resolve(directory, path.replaceAll(/\{(?:environment|env)\}/g, environment))

export interface ReadReleases {
  readonly releases: ReleasesRecipe
  readonly texts: readonly ReadText[]
}

/** What the levels say about releases, each key as the nearest has it; undefined where nothing does. */
export function readReleases(levels: readonly Level[], options: WorkOptions): ReadReleases | undefined {
  const { complain, directory, environment } = options
  const given = levels.find(({ entry }) => entry.releases !== undefined)?.entry.releases
  const git = gitSourceIn(levels)
  const hasSource = git === undefined && levels.some(({ entry }) => entry.source !== undefined)
  if (given === undefined) {
    if (hasSource && !levels.some(({ path }) => options.isBroken([...path, 'releases'])))
      complain(originIn(levels, 'source'), 'needs releases beside it, such as `releases: {path: /srv/shop}`')
    return undefined
  }
  const at = originIn(levels, 'releases')
  const [wrong] = placeholdersIn(given.path).filter((name) => name !== 'environment' && name !== 'env')
  if (wrong !== undefined)
    complain(
      [...at, 'path'],
      `{${wrong}} is not filled here; only {environment} is, so that it stays one place`,
    )
  if (environment.includes('/') && /\{env(?:ironment)?\}/.test(given.path))
    complain([...at, 'path'], `would have the slash of ${environment} in it; write the path as it is`)
  const shared = (given.shared ?? []).map((entry) => entry.replace(/\/+$/, '/'))
  for (const [index, entry] of shared.entries()) {
    const other = shared.find(
      (one, place) => place !== index && `${entry}/`.startsWith(`${one.replace(/\/$/, '')}/`),
    )
    if (other !== undefined) complain([...at, 'shared', index], `is inside of ${other}, or the same`)
  }
  const texts: ReadText[] = []
  const source = readSource(levels, options, texts)
  return {
    releases: {
      path: pathOf(given.path, directory, environment),
      keep: given.keep ?? DEFAULTS.keep_releases,
      shared,
      target: given.target ?? 'link',
      ...(git?.path === undefined ? {} : { directory: git.path }),
      ...(source === undefined ? {} : { source }),
    },
    texts,
  }
}

function readSource(
  levels: readonly Level[],
  { directory, variables, complain, environment }: WorkOptions,
  texts: ReadText[],
): ZipSource | undefined {
  const given = levels.find(({ entry }) => entry.source !== undefined)?.entry.source
  if (given === undefined || given === 'git' || gitSourceIn(levels) !== undefined) return undefined
  const at = originIn(levels, 'source')
  const long = typeof given === 'string' ? undefined : given
  const read = (value: string | { readonly file: string } | undefined, path: Path) => {
    if (value === undefined) return undefined
    const isSecret = typeof value !== 'string' || hasReference(value)
    const one = readValue(value, {
      path,
      directory,
      environment: variables,
      ...(isSecret ? { name: 'SOURCE_SECRET' } : {}),
    })
    if ('wrong' in one) {
      complain(path, one.wrong)
      return undefined
    }
    texts.push({ path, ...one, secrets: [...one.secrets, ...piecesOf(one)] })
    return one
  }
  const path = long === undefined ? at : [...at, 'url']
  const address = read(long?.url ?? (typeof given === 'string' ? given : undefined), path)
  const id = read(long?.access_key_id, [...at, 'access_key_id'])
  const secret = read(long?.secret_access_key, [...at, 'secret_access_key'])
  if (long !== undefined && long.url === undefined)
    complain(path, 'is missing: expected the address of a zip')
  if ((id === undefined) !== (secret === undefined) && long !== undefined)
    if ((long.access_key_id === undefined) !== (long.secret_access_key === undefined))
      complain(at, 'needs access_key_id and secret_access_key together')
  if (address === undefined) return undefined
  const wrong = whyNoArchive(address.text, environment)
  if (wrong !== undefined) complain(path, wrong)
  const { key_file: keyFile, region, endpoint } = long ?? {}
  const isS3 = address.text.startsWith('s3:')
  if (!isS3 && long !== undefined && Object.keys(long).some((key) => key !== 'url'))
    complain(at, 'has keys for S3, and its url is none of s3://')
  return {
    address: address.value,
    s3: {
      region,
      endpoint,
      keyFile: keyFile === undefined ? undefined : resolve(directory, keyFile),
      accessKeyId: id?.value,
      secretAccessKey: secret?.value,
    },
  }
}

/** An address that is a reference as a whole is secret also once its placeholders are filled in: then in pieces. */
function piecesOf({ value, text, secrets }: ReadValue): readonly string[] {
  const isWhole = 'file' in value || ('template' in value && /^\$\{[^{}]*\}$/.test(value.template))
  return secrets
    .filter((secret) => isWhole || secret !== text)
    .flatMap((secret) => secret.split(PLACEHOLDER))
    .filter((piece) => !secrets.includes(piece) && !isTooShort(piece))
}
const PLACEHOLDER = new RegExp(`\\{(?:${IN_ADDRESS.join('|')})\\}`)

/** What is wrong with an address; not quoted, since a secret may be in it. */
function whyNoArchive(address: string, environment: string): string | undefined {
  const [placeholder] = placeholdersIn(address).filter((name) => !IN_ADDRESS.includes(name))
  if (placeholder !== undefined)
    return `{${placeholder}} is not filled here; {sha}, {short_sha} and {environment} are`
  if (isGitAddress(address))
    return 'is a git address: write it as a text, `source: https://….git/folder#branch`, or as `workspace: {url: …}`'
  const filled = fillAddress(address, { sha: '0'.repeat(40), environment }, encodeURIComponent)
  if (address.startsWith('s3:'))
    return readS3Address(filled) === undefined
      ? 'is no address such as s3://bucket/path/to/app.zip'
      : undefined
  const [, host = ''] = /^https?:\/\/([^/?#]*)/.exec(address) ?? []
  if (!URL.canParse(filled) || host === '') return `expected ${SOURCE_FORMS}`
  return host.includes('{') ? 'names its host by a placeholder; write the host as it is' : undefined
}

/** Complains about what cannot be beside releases. */
export function checkReleases(
  recipe: Recipe,
  levels: readonly Level[],
  complain: WorkOptions['complain'],
): void {
  const { kind, releases } = recipe
  if (releases === undefined) return
  const other = kind === 'ansible' ? 'a playbook' : kind === 'heroku' ? 'a push to Heroku' : undefined
  if (other !== undefined)
    complain(
      originIn(levels, 'releases'),
      `is for commands: ${other} makes none; leave it out, or name commands`,
    )
  if (levels.some(({ entry }) => entry.tasks_folder !== undefined))
    complain(
      originIn(levels, 'tasks_folder'),
      'makes no releases; write the tasks that there are under `tasks`',
    )
  const said = levels.find(({ entry }) => entry.workspace !== undefined)?.entry.workspace
  if (releases.source !== undefined && said !== undefined && said !== 'none')
    complain(originIn(levels, 'workspace'), 'is nothing here, since the source is a zip; leave it out')
}

/** Complains about environments whose releases would lie in the same folder: their numbers would meet there. */
export function createReleasesCheck(complain: WorkOptions['complain']) {
  const seen = new Map<string, string>()
  return (name: string, recipe: Recipe, levels: readonly Level[]): void => {
    if (recipe.releases === undefined) return
    const { path } = recipe.releases
    const other = seen.get(path)
    seen.set(path, name)
    if (other !== undefined)
      complain(
        [...originIn(levels, 'releases'), 'path'],
        `${path} is where the releases of ${other} are, too; give each its own, such as one with {environment} in it`,
      )
  }
}
