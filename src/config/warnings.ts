import { basename } from 'node:path'

import { findOpening } from '../schedule/windows.ts'
import { timeIn } from '../schedule/zones.ts'
import type { Path, Positions } from './positions.ts'
import { createProblemList, pathText, type ConfigProblem } from './problems.ts'
import type { SecretSetting, Settings } from './schema.ts'

export interface WarningOptions {
  readonly file: string
  readonly positions: Positions
  /** Where secrets stand in the file itself. */
  readonly plain: readonly Path[]
  /** Where secrets stand that cannot be masked. */
  readonly tooShort: readonly Path[]
  /** The permission bits of the file. */
  readonly mode: number
  /** Whether it belongs to this user; what is root's is read by its group. */
  readonly isOwn: boolean
  /** Milliseconds since 1970. */
  readonly now: number
}

const SHORTEST_SECRET = 16
const READABLE = { byEverybody: 0o004, byGroup: 0o040 } as const

/** What works and is doubtful. */
export function warningsOf(
  settings: Settings,
  { file, positions, plain, tooShort, mode, isOwn, now }: WarningOptions,
): readonly ConfigProblem[] {
  const warnings = createProblemList(file, positions)
  const made = guessable(settings)
  for (const { path, secret } of made)
    if (typeof secret === 'string' && secret.length < SHORTEST_SECRET)
      warnings.add(
        path,
        `is shorter than ${SHORTEST_SECRET} characters; make one with \`openssl rand -hex 32\``,
      )
  const told = new Set(made.map(({ path }) => pathText(path)))
  for (const path of tooShort.filter((one) => !told.has(pathText(one))))
    warnings.add(
      path,
      'is too short to be masked: wherever it is printed it can be read; make it 6 characters or more',
    )
  const [first] = plain
  const tooMuch = READABLE.byEverybody | (isOwn ? READABLE.byGroup : 0)
  const instead = isOwn
    ? `run \`chmod 600 ${basename(file)}\``
    : `let it belong to a group of this user and run \`chmod 640 ${basename(file)}\``
  if (first !== undefined && (mode & tooMuch) !== 0)
    warnings.add(
      first,
      `stands in a file that others may read (mode ${mode.toString(8)}); write \${NAME} or {file: path}, or ${instead}`,
    )
  for (const path of checksOfFew(settings))
    warnings.add(
      path,
      'with deploy_on: none only `ferryman deploy` waits for them, and what is asked for on GitHub is checked there alone; `enforce_required_contexts: true` looks at that, too',
    )
  for (const { path, before } of windowsThatStayShut(settings, now))
    warnings.add(path, `let no deployment begin before ${before}`)
  return warnings.all
}

/** Windows that deny all that they allow, or are over. */
function windowsThatStayShut({ repositories }: Settings, now: number): { path: Path; before: string }[] {
  const known = new Map<string, ReturnType<typeof findOpening>>()
  return Object.entries(repositories).flatMap(([name, { environments = {}, ...shared }]) => {
    const path = ['repositories', name]
    const own = Object.entries(environments).map(([environment, { windows }]) => ({
      path: [...path, 'environments', environment, 'windows'],
      windows,
    }))
    return [{ path: [...path, 'windows'], windows: shared.windows }, ...own].flatMap((place) => {
      if (place.windows === undefined) return []
      const key = JSON.stringify(place.windows)
      const opening = known.get(key) ?? findOpening(place.windows, now)
      known.set(key, opening)
      return opening.isFound ? [] : [{ path: place.path, before: timeIn(opening.zone, opening.at) }]
    })
  })
}

/** Lists of checks that hold neither what deploys by itself, since nothing does, nor what others ask for on GitHub. */
function checksOfFew({ repositories }: Settings): Path[] {
  return Object.entries(repositories).flatMap(([name, { environments = {}, ...shared }]) => {
    const path = ['repositories', name]
    const own = Object.entries(environments).map(([environment, entry]) => ({
      path: [...path, 'environments', environment],
      entry: { ...shared, ...entry },
      written: entry,
    }))
    const places = own.length > 0 ? own : [{ path, entry: shared, written: shared }]
    return places
      .filter(
        ({ entry }) =>
          entry.deploy_on === 'none' &&
          entry.enforce_required_contexts !== true &&
          (entry.required_contexts ?? []).length > 0,
      )
      .map((place) =>
        place.written.required_contexts === undefined
          ? [...path, 'required_contexts']
          : [...place.path, 'required_contexts'],
      )
  })
}

/** The secrets that people make up themselves. */
function guessable({ server, github }: Settings): { path: Path; secret: SecretSetting | undefined }[] {
  const path = ['github', 'webhook_secret']
  const given = github?.webhook_secret
  const secrets = Array.isArray(given)
    ? given.map((secret, index) => ({ path: [...path, index], secret }))
    : [{ path, secret: given }]
  return [...secrets, { path: ['server', 'api_token'], secret: server.api_token }]
}
