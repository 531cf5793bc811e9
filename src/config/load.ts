import { isUtf8 } from 'node:buffer'
import { readFileSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

import { FerrymanError, problem } from '../errors.ts'
import type { Config, Credentials } from './config.ts'
import { readCredentials } from './credentials.ts'
import { isMapping, readDocument } from './document.ts'
import { readEntries, type Entries } from './entries.ts'
import { fillDocument } from './filled.ts'
import type { General } from './notify.ts'
import { override, type Overrides } from './overrides.ts'
import type { Path } from './positions.ts'
import { createProblemList, lineOf, type ConfigProblem } from './problems.ts'
import { causeOf, type Variables } from './references.ts'
import { DEFAULTS } from './defaults.ts'
import {
  GITHUB_DEFAULTS,
  GITHUB_EXPECTED,
  RETENTION_DEFAULTS,
  type SecretSetting,
  type Settings,
} from './schema.ts'
import { checkStructure } from './structure.ts'
import { needsGitHub } from './via.ts'
import { warningsOf, type WarningOptions } from './warnings.ts'

/** `hidden`: it is in a folder that this user may not enter. */
type Sight = 'there' | 'missing' | 'hidden'

export interface FindOptions {
  /** What `--config` said. */
  readonly flag: string | undefined
  readonly environment: Variables
  readonly cwd: string
  readonly look?: (path: string) => Sight
}

export interface LoadOptions {
  readonly environment: Variables
  /** Values from the command line; they win over the environment, which wins over the file. */
  readonly overrides?: Overrides | undefined
  /** The moment as of which is warned, in milliseconds since 1970; by default this one. */
  readonly now?: number | undefined
}

export type ConfigReading = { readonly config: Config } | { readonly problems: readonly ConfigProblem[] }

/**
 * The absolute path of the configuration to use; throws `config_not_found`. What was named is never replaced by another.
 * Where it is hidden its path is answered all the same: whoever reads it is told why not.
 */
export function findConfig({ flag, environment, cwd, look = lookAt }: FindOptions): string {
  const named = flag ?? (environment['FERRYMAN_CONFIG'] || undefined)
  const candidates = named === undefined ? ['config.yml', '/etc/ferryman/config.yml'] : [named]
  const paths = candidates.map((path) => resolve(cwd, path))
  // The folder that somebody happens to be in may be hidden from the user that a command is run as: that says nothing.
  const found =
    paths.find((path) => look(path) === 'there') ?? paths.slice(-1).find((path) => look(path) === 'hidden')
  if (found === undefined) throw problem('config_not_found', { paths: paths.join(' or ') })
  return found
}

function lookAt(path: string): Sight {
  try {
    statSync(path)
    return 'there'
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === 'EACCES' ? 'hidden' : 'missing'
  }
}

/**
 * The configuration, ready to use; throws `config_invalid` with one line for each thing that is wrong, and `request_wrong`
 * where that is nothing but flags.
 */
export function loadConfig(file: string, options: LoadOptions): Config {
  const reading = readConfig(file, options)
  if ('config' in reading) return reading.config
  const { problems } = reading
  if (!problems.every(isOfFlag)) throw invalid(file, problems)
  throw problem('request_wrong', {
    list: problems.map(({ path, message }) => `${path} (${message})`).join(', '),
  })
}

const isOfFlag = ({ line, path }: ConfigProblem): boolean => line === undefined && path.startsWith('--')

/** The configuration, or everything that is wrong with it; throws `config_unreadable`. */
export function readConfig(
  file: string,
  { environment, overrides = {}, now = Date.now() }: LoadOptions,
): ConfigReading {
  const absolute = resolve(file)
  const directory = dirname(absolute)
  const reading = readDocument(absolute, readText(absolute))
  if ('problems' in reading) return reading
  const { positions, root } = reading.document

  const problems = createProblemList(absolute, positions)
  const { root: overridden, sourceAt } = override(root, environment, overrides)
  const complain = (path: Path, message: string): void => {
    const source = sourceAt(path)
    if (source === undefined) problems.add(path, message)
    else problems.addFor(source, message)
  }
  const unfilled = new Set<string>()
  const filled = fillDocument(overridden, {
    variables: environment,
    directory,
    isOverridden: (path) => sourceAt(path) !== undefined,
    wrong(path, message) {
      unfilled.add(path.join('\0'))
      complain(path, message)
    },
  })
  // What could not be filled has had its complaint.
  const { settings, repositories, isBroken } = checkStructure(filled.root, (path, message) => {
    if (!unfilled.has(path.join('\0'))) complain(path, message)
  })
  const entries = readEntries(repositories, {
    directory,
    variables: environment,
    positions,
    general: settings && generalOf(settings),
    complain,
    isBroken,
  })
  const hasGitHub = isMapping(filled.root) && filled.root['github'] !== undefined
  if (!hasGitHub && needsGitHub(filled.root)) complain(['github'], `is missing: expected ${GITHUB_EXPECTED}`)
  const known = hasGitHub
    ? readCredentials(filled.root, {
        directory,
        complain,
        isBroken: (path) => isBroken(path) || unfilled.has(path.join('\0')),
      })
    : { credentials: undefined, secrets: [] }
  if (settings === undefined || known === undefined || !problems.isEmpty) return { problems: problems.all }

  const plain = [...filled.plain, ...entries.literals.map(({ path }) => path)]
  const warnings = warningsOf(settings, {
    file: absolute,
    positions,
    plain,
    tooShort: [...filled.tooShort, ...entries.tooShort],
    ...accessTo(absolute),
    now,
  })
  const config = assemble(settings, { file: absolute, directory, entries, credentials: known.credentials })
  const secrets = secretsOf([...filled.secrets, ...known.secrets], entries)
  return { config: { ...config, secrets, warnings: warnings.map(lineOf) } }
}

/** All problems as one error that can be thrown or logged. */
export function invalid(file: string, problems: readonly ConfigProblem[]): FerrymanError {
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`
  return problem('config_invalid', { file, count, list: problems.map(lineOf).join('\n') })
}

const LARGEST = 1_048_576

/** The text of a configuration; throws `config_unreadable`. */
export function readText(file: string): string {
  try {
    const bytes = readFileSync(file)
    if (bytes.length > LARGEST) throw new Error('it is larger than 1 MB')
    if (!isUtf8(bytes)) throw new Error(`line ${lineThatIsNoText(bytes)} is not UTF-8 text`)
    return new TextDecoder('utf-8').decode(bytes)
  } catch (cause) {
    throw problem('config_unreadable', { file, cause: causeOf(cause) }, cause)
  }
}

/** Counted from 1. No line break is part of another character, so that each line is text by itself or is not. */
function lineThatIsNoText(bytes: Buffer): number {
  let start = 0
  for (let line = 1; ; line += 1) {
    const end = bytes.indexOf('\n', start)
    if (end === -1 || !isUtf8(bytes.subarray(start, end))) return line
    start = end + 1
  }
}

function accessTo(file: string): Pick<WarningOptions, 'mode' | 'isOwn'> {
  const { mode, uid } = statSync(file)
  return { mode: mode & 0o777, isOwn: uid === process.getuid?.() }
}

interface Origin {
  readonly file: string
  readonly directory: string
  readonly entries: Entries
  readonly credentials: Credentials | undefined
}

function assemble(
  settings: Settings,
  { file, directory, entries, credentials }: Origin,
): Omit<Config, 'secrets' | 'warnings'> {
  const { server, github, slack, database } = settings
  const {
    api_url: apiUrl,
    creations_per_hour: creations,
    requests_per_minute: requests,
  } = github ?? GITHUB_DEFAULTS
  const literals = new Map(entries.literals.map(({ path, text }) => [path.join('\0'), text]))
  return {
    file,
    server: {
      host: server.host,
      port: server.port,
      publicUrl: server.public_url,
      apiToken: server.api_token === undefined ? undefined : textOf(server.api_token),
    },
    dataDir: resolve(directory, settings.data_dir),
    database: database === undefined ? undefined : textOf(database),
    maxConcurrent: settings.max_concurrent,
    catchUpSeconds: settings.catch_up === 'off' ? undefined : (settings.catch_up ?? DEFAULTS.catch_up),
    catchUpMaxAgeSeconds: settings.catch_up_max_age ?? DEFAULTS.catch_up_max_age,
    lockReminderSeconds:
      settings.lock_reminder === 'off' ? undefined : (settings.lock_reminder ?? DEFAULTS.lock_reminder),
    github: {
      webhookSecrets: [github?.webhook_secret ?? []].flat().map(textOf),
      credentials,
      apiUrl,
      creationsPerHour: creations,
      requestsPerMinute: requests,
    },
    slack: slack && {
      webhookUrl: textOf(slack.webhook_url),
      events: DEFAULTS.slack_events,
      everyFailure: DEFAULTS.every_failure,
    },
    retention: retentionOf(settings.retention),
    repositories: entries.repositories,
    lookup: (path) => literals.get(path.join('\0')),
  }
}

function retentionOf(given: Settings['retention']): Config['retention'] {
  const otherwise = RETENTION_DEFAULTS
  return {
    deliveriesMs: given.deliveries ?? otherwise.deliveries,
    deliveriesBytes: given.deliveries_size ?? otherwise.deliveries_size,
    logsMs: given.logs ?? otherwise.logs,
    logsBytes: given.logs_size ?? otherwise.logs_size,
    historyMs: given.history ?? otherwise.history,
    historyCount: given.history_count ?? otherwise.history_count,
  }
}

/** What environments fall back to; undefined where its file could not be read. */
function generalOf({ slack, github, log_to: logTo }: Settings): General | undefined {
  const slackUrl = slack?.webhook_url
  if (typeof slackUrl === 'object') return undefined
  return { slackUrl, logTo, github: github && (github.app === undefined ? 'token' : 'app') }
}

/** Files have been read by now, so that a secret is always a text. */
function textOf(setting: SecretSetting): string {
  if (typeof setting === 'string') return setting
  throw new Error(`The file ${setting.file} was not read.`)
}

const secretsOf = (ofServer: readonly string[], { secrets }: Entries): string[] =>
  [...new Set([...ofServer, ...secrets])].filter((secret) => secret !== '')
