import { z } from 'zod'

import { ANSIBLE } from './ansible.ts'
import { DEFAULTS } from './defaults.ts'
import { expecting, measure, text, textRead, toggle } from './expecting.ts'
import { BRANCH_SHAPE } from './git-source.ts'
import { HEROKU } from './heroku.ts'
import { keysOfLogTo, logTo } from './log-to.ts'
import { poll } from './poll.ts'
import { RELEASE_KEYS, RELEASES, SOURCE } from './releases.ts'
import { HEALTH_CHECK, HOOKS, NAMED_COMMAND, RECIPE, TASKS, WORKSPACE } from './recipe-schema.ts'
import {
  readAge,
  readBytes,
  readInterval,
  readLookBack,
  readReminder,
  readSeconds,
  readWait,
} from './units.ts'
import { WINDOW, windows, WINDOWS } from './windows.ts'

/**
 * The one schema of the configuration: types, checks, defaults, the reference and the JSON Schema for editors
 * come from here.
 */

/** An address that people can open: of the web, without a password in it. */
const address = (what: string) =>
  text(what).refine((given) => webAddress(given) !== undefined, expecting(what))

/** An address that paths can be added to; without slashes at its end. */
const baseAddress = (what: string) =>
  text(what)
    .refine((given) => /^[^?#]*$/.test(given) && webAddress(given) !== undefined, expecting(what))
    .transform((given) => given.replace(/\/+$/, ''))

function webAddress(given: string): URL | undefined {
  const url = URL.canParse(given) ? new URL(given) : undefined
  const isPublic = url?.username === '' && url.password === ''
  return isPublic && /^https?:$/.test(url.protocol) ? url : undefined
}

/** A text (usually with `${NAME}` in it), or a file that holds it. Checked when it is filled, so editors are told no pattern. */
const secret = (what: string, accepts: RegExp = /\S/) => {
  const expected = expecting(`${what}, as a text such as \${NAME} or as {file: path}`)
  const fileReference = z.strictObject({
    file: text('a path').describe('The file that holds the value; a last line break is left out.'),
  })
  return z.union([z.string().refine((given) => accepts.test(given), expected), fileReference], expected)
}

/** What may stand in an Authorization header. */
const HEADER_WORD = /^[\x21-\x7e]+$/

const SERVER = {
  host: text('an address to listen on, such as 127.0.0.1')
    .default('127.0.0.1')
    .describe('The address to listen on; 0.0.0.0 for every address of this machine.'),
  port: z
    .int(expecting('a port from 0 to 65535'))
    .min(0, expecting('a port from 0 to 65535'))
    .max(65_535, expecting('a port from 0 to 65535'))
    .default(5000)
    .describe('The port to listen on; 0 takes any free one.'),
  public_url: baseAddress('an address such as https://deploy.example.org')
    .optional()
    .describe('Where GitHub and people reach this server; without it no links are published.'),
  api_token: secret('a token without white space', HEADER_WORD)
    .optional()
    .describe('Opens the logs of deployments: `Authorization: Bearer <token>`.'),
}

const APP_ID = 'the App ID, a number that GitHub shows in the settings of the App'
const APP = {
  id: z
    .union(
      [z.int().positive(), z.string().refine((given) => /^[1-9]\d{0,15}$/.test(given), expecting(APP_ID))],
      expecting(APP_ID),
    )
    .describe('The App ID, a number.'),
  private_key_file: text('a path').describe('The .pem file that GitHub has made for the App.'),
}

const REQUESTS = 'a number from 10 to 100000'
const CREATIONS = 'a number from 60 to 1000000'
/** What holds of GitHub where nobody says otherwise. */
export const GITHUB_DEFAULTS = {
  api_url: 'https://api.github.com',
  creations_per_hour: 480,
  requests_per_minute: 300,
} as const

const GITHUB = {
  webhook_secret: z
    .union(
      [
        secret('a secret'),
        z.array(secret('a secret'), expecting('a list of secrets')).min(1, expecting('at least one secret')),
      ],
      expecting('a secret, as a text such as ${NAME}, as {file: path}, or as a list of these'),
    )
    .describe(
      'The secret of the webhook on GitHub; a list while one replaces another (the first signs what we send).',
    ),
  token: secret('a token without white space', HEADER_WORD)
    .optional()
    .describe('A token that may write deployment statuses; or `app`.'),
  app: z
    .strictObject(APP, expecting('a mapping with id and private_key_file'))
    .optional()
    .describe('A GitHub App, in place of `token`.'),
  api_url: baseAddress('an address such as https://github.example.org/api/v3')
    .default(GITHUB_DEFAULTS.api_url)
    .meta({
      description: 'The REST API; another one for GitHub Enterprise Server.',
      default: GITHUB_DEFAULTS.api_url,
    }),
  creations_per_hour: z
    .int(expecting(CREATIONS))
    .min(60, expecting(CREATIONS))
    .max(1_000_000, expecting(CREATIONS))
    .default(GITHUB_DEFAULTS.creations_per_hour)
    .describe(
      'How many statuses and deployments GitHub is given in an hour; it refuses more than about 500.',
    ),
  requests_per_minute: z
    .int(expecting(REQUESTS))
    .min(10, expecting(REQUESTS))
    .max(100_000, expecting(REQUESTS))
    .default(GITHUB_DEFAULTS.requests_per_minute)
    .describe(
      'How many requests a minute GitHub is asked about what waits, from time to time; where something has happened, twice as many.',
    ),
}

const slackAddress = secret('an https address', /^https?:\/\/[^\s/]+\/?\S*$/)
const SLACK = {
  webhook_url: slackAddress.describe('The address of an incoming webhook; it decides the channel.'),
}

/** What Slack can be told of a deployment. */
export const SLACK_EVENTS = ['held', 'queued', 'started', 'succeeded', 'failed', 'cancelled'] as const
export type SlackEvent = (typeof SLACK_EVENTS)[number]

const EVENTS = `a list of ${SLACK_EVENTS.slice(0, -1).join(', ')} and ${SLACK_EVENTS.at(-1)}`
const NOTIFY_SLACK = {
  webhook_url: slackAddress
    .optional()
    .describe('The address of another incoming webhook than `slack.webhook_url`: another channel of Slack.'),
  events: z
    .array(z.enum(SLACK_EVENTS, expecting(`one of ${SLACK_EVENTS.join(', ')}`)), expecting(EVENTS))
    .optional()
    .meta({
      description:
        'What is told. held: it waits for something other than its turn, such as checks. queued: it waits for its turn. ' +
        'started: its turn has come. succeeded, failed: so it ended. cancelled: a person took it back; what gives ' +
        'way to something newer is not told. An empty list: nothing.',
      default: DEFAULTS.slack_events,
    }),
  every_failure: toggle(
    'Tell every failure. Without it, of an environment that fails again and again, only the first, and then the ' +
      'success that ends them, with how many they were; in between nothing but what is held or was cancelled.',
  ).meta({ default: DEFAULTS.every_failure }),
}
const NOTIFY = {
  slack: z
    .union(
      [z.literal('off'), z.strictObject(NOTIFY_SLACK)],
      expecting('off, or a mapping with keys such as webhook_url and events'),
    )
    .optional()
    .describe('What Slack is told, and where; off: nothing.'),
}

const BRANCH = 'the name of a branch, such as main'
const REF = 'a branch, a tag or a commit, such as main or v1.2'
const LANE = 'a name of letters, digits, ".", "_", "-" and "/"'

/** How long an approval counts where nothing else is said, in seconds. */
export const APPROVAL_EXPIRES = 86_400

/** The keys of `approval`. */
const APPROVAL = {
  by: z
    .array(text('a login name'), expecting('a list of login names such as [ann, bob]'))
    .min(1, expecting('at least one login name'))
    .optional()
    .describe('Who may approve, by their login names; without it everybody who may run `ferryman approve`.'),
  expires: measure('a number of seconds or a text like 24h', readWait).optional().meta({
    description: 'For how long an approval counts: seconds or a text like 24h.',
    default: APPROVAL_EXPIRES,
  }),
  allow_author: toggle('Let people approve what they have made or asked for themselves.').meta({
    default: false,
  }),
}

/** The keys of an environment; in the repository's entry they hold for all of its environments. */
const ENVIRONMENT = {
  ...RECIPE,
  ...TASKS,
  ...RELEASE_KEYS,
  required_contexts: z
    .union(
      [z.literal('all'), z.array(text('the name of a check'))],
      expecting('a list of check names such as [ci/test], or all'),
    )
    .optional()
    .describe(
      'The checks that must have passed before a merge or push deploys: their names, or all that GitHub reports.',
    ),
  enforce_required_contexts: toggle(
    'Look at the required checks also of deployments that others made on GitHub, whatever they asked of GitHub itself.',
  ).meta({ default: DEFAULTS.enforce_required_contexts }),
  even_when_forced: z
    .array(text('the name of a check'), expecting('a list of check names such as [security/audit]'))
    .optional()
    .describe('Checks that no force and no empty list at GitHub can skip.'),
  force: toggle(
    'Whether people may force deployments: past checks, locks, windows and earlier environments, with a reason.',
  ).meta({ default: DEFAULTS.force }),
  checks_wait: measure('a number of seconds or a text like 30m', readSeconds).optional().meta({
    description: 'How long a merge or push waits for its checks: seconds or a text like 30m.',
    default: DEFAULTS.checks_wait,
  }),
  deploy_on: z.enum(['merge', 'push', 'none'], expecting('merge, push or none')).optional().meta({
    description:
      'What deploys by itself: a pull request merged into the branch, any push to it, or neither. Deployments made on GitHub always do.',
    default: DEFAULTS.deploy_on,
  }),
  poll: poll.optional().meta({
    description:
      'With `via: none`: how often the source is asked for its version, which is deployed when it is a new one: a length of time like 5m, a cron expression in UTC, or off.',
    default: DEFAULTS.poll,
  }),
  order: z.enum(['queue', 'latest'], expecting('queue or latest')).optional().meta({
    description:
      'What becomes of what was asked for when something newer is: it keeps its place in line (queue), or ends as superseded unless it has begun (latest).',
    default: DEFAULTS.order,
  }),
  branch: text(BRANCH)
    .regex(BRANCH_SHAPE, expecting(BRANCH))
    .optional()
    .describe(
      "The branch that deploys by itself; without it the repository's default branch. Without `default_ref` `ferryman deploy` takes it, too, where no ref is said.",
    ),
  default_ref: text(REF)
    .regex(/^(?![-/#])(?!.*(?:\.\.|@\{|\/\/))[^ ~^:?*[\\]+$/, expecting(REF))
    .optional()
    .describe('What `ferryman deploy` deploys where no ref is said; without it the head of `branch`.'),
  windows: windows
    .optional()
    .describe(
      'When deployments may begin: inside of one of `allow`, if there is any, and never inside of one of `deny`.',
    ),
  approval: z
    .union(
      [z.boolean(), z.strictObject(APPROVAL)],
      expecting('true, false, or a mapping with keys such as by and expires'),
    )
    .optional()
    .meta({
      description: 'A second person has to agree to a commit before it is deployed: `ferryman approve`.',
      default: false,
    }),
  environment_url: address('an address such as https://shop.example.org')
    .optional()
    .describe('Where the result can be seen; GitHub and Slack link to it.'),
  lane: z
    .string(expecting(LANE))
    .regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,99}$/, expecting(LANE))
    .optional()
    .describe('Deployments of the same lane never overlap; without it every environment has its own.'),
  accept_actions_deployments: toggle(
    'Also deploy what a GitHub Actions job creates for the environment it names.',
  ).meta({ default: DEFAULTS.accept_actions_deployments }),
  commit_status: toggle(
    'Write a status to the commit as well, `ferryman/<environment>`: pending, then success, failure or error.',
  ).meta({ default: DEFAULTS.commit_status }),
  notify: z
    .strictObject(NOTIFY, expecting('a mapping such as {slack: {events: [failed]}}'))
    .optional()
    .describe(
      'Who is told of what happens here. What an environment does not say holds as the repository says it.',
    ),
  log_to: logTo,
  public_logs: toggle('Publish links to the logs although the repository is public.').meta({
    default: DEFAULTS.public_logs,
  }),
}

/** The keys that only one environment can have: where it stands among the others. */
const PLACE = {
  after: text('the name of another environment of the repository')
    .optional()
    .describe('Another environment of the repository, which has to take a commit first, with success.'),
  bake: measure('a number of seconds or a text like 30m', readWait)
    .optional()
    .describe('How long ago that success must be: seconds or a text like 30m; without it, none.'),
}

const environment = z.strictObject(
  { ...ENVIRONMENT, ...PLACE },
  expecting('a mapping with keys such as folder and commands'),
)

const REPOSITORY = {
  ...ENVIRONMENT,
  via: z.enum(['github', 'none'], expecting('github or none')).optional().meta({
    description:
      'Who says what is to be deployed and is told how it went: GitHub, or nobody, and the source is polled. With none the name is any owner/name.',
    default: 'github',
  }),
  environments: z
    .record(
      text('a name of at most 255 characters').max(255, expecting('a name of at most 255 characters')),
      environment,
      expecting('a mapping of environments such as {production: {folder: /srv/shop}}'),
    )
    .refine((all) => Object.keys(all).length > 0, expecting('at least one environment'))
    .optional()
    .describe(
      'The environments by name; each may override any key of the repository. Without it: `production`.',
    ),
}

const age = textRead('a text like 30d or 36h', readAge).optional()
const size = measure('a number of bytes or a text like 1GB', readBytes).optional()
const MOST_KEPT = 'a number from 1000 to 100000000'

/** How long is kept what nobody waits for any more; the ages in milliseconds. */
export const RETENTION_DEFAULTS = {
  deliveries: 30 * 86_400_000,
  deliveries_size: 1_000_000_000,
  logs: 90 * 86_400_000,
  logs_size: 10_000_000_000,
  history: 730 * 86_400_000,
  history_count: 1_000_000,
} as const

const RETENTION = {
  deliveries: age.meta({ description: 'How long deliveries are kept: a text like 30d.', default: '30d' }),
  deliveries_size: size.meta({
    description: 'How much their bodies may take, compressed; the oldest go first.',
    default: RETENTION_DEFAULTS.deliveries_size,
  }),
  logs: age.meta({ description: 'How long the logs of deployments are kept.', default: '90d' }),
  logs_size: size.meta({
    description: 'How much they may take together; the oldest go first.',
    default: RETENTION_DEFAULTS.logs_size,
  }),
  history: age.meta({ description: 'How long ended deployments are kept.', default: '730d' }),
  history_count: z
    .int(expecting(MOST_KEPT))
    .min(1_000, expecting(MOST_KEPT))
    .max(100_000_000, expecting(MOST_KEPT))
    .optional()
    .meta({
      description: 'How many deployments are kept; the oldest go first.',
      default: RETENTION_DEFAULTS.history_count,
    }),
}

const OWNER = '[A-Za-z0-9][A-Za-z0-9_-]{0,38}'
const REPOSITORY_NAME = new RegExp(`^${OWNER}/(?!\\.{1,2}$)(?!.*\\.git$)[A-Za-z0-9._-]{1,100}$`)

const repositories = z
  .record(
    z.string().regex(REPOSITORY_NAME, expecting('a repository as owner/name')),
    z.strictObject(REPOSITORY, expecting('a mapping with keys such as folder and commands')),
    expecting('a mapping of repositories such as {acme/shop: {folder: /srv/shop}}'),
  )
  .describe('What to deploy, by owner/name.')

/** What the section of GitHub has to be. */
export const GITHUB_EXPECTED = 'a mapping with webhook_secret and token'

const ROOT = {
  server: z
    .strictObject(SERVER, expecting('a mapping with keys such as port'))
    .prefault({})
    .describe('How to reach this server.'),
  data_dir: text('a path')
    .default('./data')
    .describe('Database, logs and sockets: absolute, or relative to this file.'),
  database: secret('an address such as postgres://user:password@host/name', /^postgres(ql)?:\/\/\S+$/)
    .optional()
    .describe('A PostgreSQL address; without it SQLite in data_dir.'),
  retention: z
    .strictObject(RETENTION, expecting('a mapping with keys such as deliveries and logs'))
    .prefault({})
    .describe('How long is kept what nobody waits for any more.'),
  max_concurrent: z
    .int(expecting('a number from 1 to 1000'))
    .min(1, expecting('a number from 1 to 1000'))
    .max(1000, expecting('a number from 1 to 1000'))
    .default(1)
    .describe('How many deployments may run at the same time, over all lanes.'),
  catch_up: measure('a length of time like 5m, or off', readInterval).optional().meta({
    description: 'How often GitHub is asked for what it could not deliver: like 5m, or off.',
    default: DEFAULTS.catch_up,
  }),
  catch_up_max_age: measure('a number of seconds or a text like 24h', readLookBack).optional().meta({
    description: 'What was asked for longer ago than that is not taken up any more.',
    default: DEFAULTS.catch_up_max_age,
  }),
  lock_reminder: textRead('a length of time like 24h or 7d, or off', readReminder).optional().meta({
    description:
      'How long a lock may be there before Slack is reminded of it, and again each time: like 24h, or off.',
    default: '24h',
  }),
  github: z
    .strictObject(GITHUB, expecting(GITHUB_EXPECTED))
    .optional()
    .meta({
      description: 'The connection to GitHub; may be left out where all repositories say `via: none`.',
      oneOf: [{ required: ['token'] }, { required: ['app'] }], // for editors; credentials.ts says it to people
    }),
  slack: z
    .strictObject(SLACK, expecting('a mapping with webhook_url'))
    .optional()
    .describe('Messages to Slack.'),
  log_to: logTo,
  repositories,
}

export const configSchema = z
  .strictObject(ROOT, expecting('a mapping with keys such as github and repositories'))
  .meta({
    title: 'Ferryman',
    description: 'The configuration of Ferryman. Keys that begin with x- are free.',
  })
/** The repositories alone, for looking at them although something else is wrong. */
export const repositoriesSchema = repositories

export type Settings = z.output<typeof configSchema>
export type Repositories = z.output<typeof repositories>
export type EnvironmentEntry = z.output<typeof environment>
export type SecretSetting = z.output<ReturnType<typeof secret>>

/** Keys that the design names and this version does not know yet: refused, never ignored. */
export const NOT_YET: ReadonlySet<string> = new Set('auto_merge lock runs_on'.split(' '))

/** Whether a key can stand below `environments` only, and there in one of them. */
export const isOfOneEnvironment = (key: string): boolean => Object.hasOwn(PLACE, key)

/** The keys that may stand in the mapping at this path; undefined where names are free. */
export function keysAt(path: readonly (string | number)[]): readonly string[] | undefined {
  const [section] = path
  if (section === undefined) return Object.keys(ROOT)
  if (section === 'github' && path[1] === 'app') return Object.keys(APP)
  if (section === 'log_to') return keysOfLogTo(path.slice(1))
  if (section !== 'repositories') return path.length === 1 ? Object.keys(SECTIONS[section] ?? {}) : ['file']
  if (path.length === 2) return Object.keys(REPOSITORY)
  if (path.length === 4 && path[2] === 'environments') return Object.keys({ ...ENVIRONMENT, ...PLACE })
  const [key, ...inner] = path.slice(path[2] === 'environments' ? 4 : 2)
  if (key === 'tasks') return inner.length === 1 ? Object.keys(RECIPE) : keysOfRecipe(inner.slice(1))
  const ofRecipe = keysOfRecipe([key, ...inner])
  if (ofRecipe !== undefined) return ofRecipe
  if (key === 'windows') return Object.keys(inner.length === 0 ? WINDOWS : WINDOW)
  if (key === 'releases') return Object.keys(RELEASES)
  if (key === 'source') return inner.length === 0 ? Object.keys(SOURCE) : ['file']
  if (key === 'log_to') return keysOfLogTo(inner.map((one) => one ?? ''))
  if (key === 'approval') return Object.keys(APPROVAL)
  if (key === 'notify') return [Object.keys(NOTIFY), Object.keys(NOTIFY_SLACK), ['file']][inner.length]
  return undefined
}

/** The keys that may stand in the mapping at this path below an entry that says what to run. */
function keysOfRecipe([key, ...inner]: readonly (string | number | undefined)[]):
  | readonly string[]
  | undefined {
  if (key === 'env') return ['file']
  if (key === 'ansible') return [Object.keys(ANSIBLE), ['file']][inner.length]
  if (key === 'heroku') return [Object.keys(HEROKU), ['file']][inner.length]
  if (key === 'commands') return Object.keys(NAMED_COMMAND)
  if (key === 'health_check') return Object.keys(HEALTH_CHECK)
  if (key === 'workspace') return Object.keys(WORKSPACE)
  if (key === 'hooks') return Object.keys(inner.length === 0 ? HOOKS : NAMED_COMMAND)
  return undefined
}

/** Sections with keys of their own, by their name. */
export const SECTIONS: Readonly<Record<string, object>> = {
  server: SERVER,
  github: GITHUB,
  slack: SLACK,
  retention: RETENTION,
}
