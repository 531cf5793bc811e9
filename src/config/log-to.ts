import { resolve } from 'node:path'
import { z } from 'zod'

import { readS3Prefix } from '../deployment/source.ts'
import type { LogTarget } from './config.ts'
import { expecting, text } from './expecting.ts'
import type { General } from './notify.ts'
import { pathText } from './problems.ts'
import type { Path } from './positions.ts'
import { SOURCE } from './releases.ts'
import type { EnvironmentEntry } from './schema.ts'
import { originIn, type Level } from './work.ts'

const TOKEN = 'a token without white space, as a text such as ${NAME} or as {file: path}'
const GIST = {
  token: z
    .union(
      [
        z.string().refine((given) => /^[\x21-\x7e]+$/.test(given), expecting(TOKEN)),
        z.strictObject({ file: text('a path') }),
      ],
      expecting(TOKEN),
    )
    .describe(
      'The token of an account that may make gists: classic with the scope gist, or fine-grained with the account permission Gists: write.',
    ),
}

const { url: _, ...STORE } = SOURCE
const BUCKET = 'a bucket such as s3://bucket or s3://bucket/logs'
const ADDRESS = 'an address such as https://logs.example.org'

/** The keys of `log_to` in its long form. */
const LOG_TO = {
  gist: z
    .strictObject(GIST, expecting('a mapping with token'))
    .optional()
    .describe('Secret gists of the account to which this token belongs.'),
  s3: text(BUCKET)
    .refine((given) => readS3Prefix(given) !== undefined, expecting(BUCKET))
    .optional()
    .describe('Objects of this bucket, below this path.'),
  url: text(ADDRESS)
    .refine((given) => /^https?:\/\/[^\s/?#@<>|]+[^\s?#@<>|]*$/.test(given), expecting(ADDRESS))
    .optional()
    .describe(
      'For S3: where people open what is below the path of `s3`; without it each link is signed, and opens its log for 7 days.',
    ),
  ...STORE,
}

const FORMS = 'gist, none, or a mapping with gist or s3'

/** The key `log_to`. */
export const logTo = z
  .union([z.enum(['gist', 'none']), z.strictObject(LOG_TO, expecting(FORMS))], expecting(FORMS))
  .optional()
  .describe(
    'Where the log of each deployment is put when it has ended, for people who cannot reach this server: `gist`, ' +
      'a secret gist of the account to which `github.token` belongs; a mapping with `gist` or `s3`; or none. ' +
      'Whoever has the address can read the log.',
  )

/** The keys that may stand in the mapping at this path below `log_to`. */
export const keysOfLogTo = (inner: Path): readonly string[] =>
  inner.length === 0 ? Object.keys(LOG_TO) : inner[0] === 'gist' && inner.length === 1 ? ['token'] : ['file']

type Given = NonNullable<EnvironmentEntry['log_to']>

export interface LogToOptions {
  /** What is said for all; undefined where that could not be read. */
  readonly general: Pick<General, 'logTo' | 'github'> | undefined
  /** Relative paths are resolved against it. */
  readonly directory: string
  readonly complain: (path: Path, message: string) => void
}

/** Makes what says where the logs of an environment are put, as its nearest level has it. Each place is read once. */
export function createLogTargets(options: LogToOptions) {
  const known = new Map<string, LogTarget | undefined>()
  const readOnce = (given: Given, path: Path): LogTarget | undefined => {
    const key = pathText(path)
    const target = known.has(key) ? known.get(key) : readTarget(given, path, options)
    known.set(key, target)
    return target
  }
  const forAll = options.general?.logTo
  if (forAll !== undefined) readOnce(forAll, ['log_to'])
  return (levels: readonly Level[]): LogTarget | undefined => {
    const given = levels.find(({ entry }) => entry.log_to !== undefined)?.entry.log_to
    if (given !== undefined) return readOnce(given, originIn(levels, 'log_to'))
    return forAll && readOnce(forAll, ['log_to'])
  }
}

function readTarget(
  given: Given,
  path: Path,
  { general, directory, complain }: LogToOptions,
): LogTarget | undefined {
  if (given === 'none') return undefined
  if (given === 'gist') {
    if (general !== undefined && general.github !== 'token')
      complain(
        path,
        `needs a token of its own, since ${general.github === 'app' ? 'a GitHub App can make no gists' : 'there is no `github` with one'}: write {gist: {token: \${GIST_TOKEN}}}`,
      )
    return { kind: 'gist', token: undefined }
  }
  const { gist, s3, ...store } = given
  const [other] = Object.keys(store)
  if ((gist === undefined) === (s3 === undefined))
    complain(
      path,
      gist === undefined ? 'names neither gist nor s3' : 'names gist and s3: keep one of the two',
    )
  else if (gist !== undefined && other !== undefined)
    complain([...path, other], 'is for s3, and the logs are put into gists: leave it out')
  if (gist !== undefined) return { kind: 'gist', token: filled(gist.token) }
  const place = s3 === undefined ? undefined : readS3Prefix(s3)
  if (place === undefined) return undefined
  const { access_key_id: id, secret_access_key: secret, key_file: keyFile, region, endpoint, url } = store
  if ((id === undefined) !== (secret === undefined))
    complain(path, 'needs access_key_id and secret_access_key together')
  return {
    kind: 's3',
    ...place,
    region,
    endpoint,
    url: url?.replace(/\/+$/, ''),
    keyFile: keyFile === undefined ? undefined : resolve(directory, keyFile),
    configured:
      id === undefined || secret === undefined
        ? undefined
        : { accessKeyId: filled(id), secretAccessKey: filled(secret) },
  }
}

/** A file has been read by now, or there was a complaint about it. */
const filled = (given: string | { readonly file: string }): string => (typeof given === 'string' ? given : '')
