import type { Recipe } from '../deployment/recipe.ts'
import type { Cadence } from '../schedule/cron.ts'
import type { Windows } from '../schedule/windows.ts'
import type { SlackEvent } from './schema.ts'

export type { Window, Windows } from '../schedule/windows.ts'

/** The configuration as the server uses it: read, checked, defaults filled, secrets resolved. */
export interface Config {
  /** Absolute path of the file it came from. */
  readonly file: string
  readonly server: {
    readonly host: string
    readonly port: number
    /** Where people and GitHub reach this server, without a slash at the end. */
    readonly publicUrl: string | undefined
    /** Opens logs (`Authorization: Bearer …`). */
    readonly apiToken: string | undefined
  }
  /** Absolute path. */
  readonly dataDir: string
  /** A `postgres://` address; undefined means SQLite in `dataDir`. */
  readonly database: string | undefined
  /** How many deployments may run at the same time, over all lanes. */
  readonly maxConcurrent: number
  /** How often to ask GitHub for what it could not deliver; undefined: never. */
  readonly catchUpSeconds: number | undefined
  /** What was asked for longer ago than that is not taken up any more. */
  readonly catchUpMaxAgeSeconds: number
  /** After how long Slack is reminded of a lock, and again each time; undefined: never. */
  readonly lockReminderSeconds: number | undefined
  readonly github: {
    /** The first signs what we send ourselves; every one is accepted. Empty where nothing is deployed via GitHub. */
    readonly webhookSecrets: readonly string[]
    /** Undefined: GitHub is neither asked nor told anything. */
    readonly credentials: Credentials | undefined
    /** Without a slash at the end. */
    readonly apiUrl: string
    /** Statuses and deployments that GitHub is given. */
    readonly creationsPerHour: number
    /** Requests that looks at what waits make where nothing has happened; twice as many where something has. */
    readonly requestsPerMinute: number
  }
  /** What Slack is told of, where nothing else is said. */
  readonly slack: SlackNotices | undefined
  readonly retention: Retention
  /** By `owner/name` in lower case. */
  readonly repositories: ReadonlyMap<string, RepositoryConfig>
  /** Every secret value in it, for the masker. */
  readonly secrets: readonly string[]
  /** What works and is doubtful, each with its position. */
  readonly warnings: readonly string[]
  /** The text at a path that a recipe refers to (`Value` of kind `config`); undefined when it is gone. */
  readonly lookup: (path: readonly string[]) => string | undefined
}

/** As whom we speak to GitHub. */
export type Credentials =
  | { readonly token: string }
  /** The key is in PEM. */
  | { readonly app: { readonly id: string; readonly privateKey: string } }

/** Where the log of a deployment is put when it has ended. */
export type LogTarget =
  /** Undefined: the server's own token. */
  | { readonly kind: 'gist'; readonly token: string | undefined }
  | {
      readonly kind: 's3'
      readonly bucket: string
      /** Empty, or with a slash at its end. */
      readonly prefix: string
      readonly region: string | undefined
      readonly endpoint: string | undefined
      /** Where people open what is below the prefix, without a slash at its end; undefined: each link is signed. */
      readonly url: string | undefined
      /** Absolute. */
      readonly keyFile: string | undefined
      readonly configured: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined
    }

/** What Slack is told of, and where. */
export interface SlackNotices {
  /** The address of an incoming webhook. */
  readonly webhookUrl: string
  /** Never empty. */
  readonly events: readonly SlackEvent[]
  /** Or else of several in a row only the first, and then the success that ends them. */
  readonly everyFailure: boolean
}

/** How long is kept what nobody waits for any more. Ages in milliseconds, sizes in bytes. */
export interface Retention {
  readonly deliveriesMs: number
  /** Of their bodies, compressed. */
  readonly deliveriesBytes: number
  readonly logsMs: number
  readonly logsBytes: number
  readonly historyMs: number
  /** Deployments. */
  readonly historyCount: number
}

/** Who says what is to be deployed, and is told how it went; `none`: nobody, and the source is polled. */
export type Via = 'github' | 'none'

/** How often a source is asked for its version. */
export type Poll = { readonly everySeconds: number } | Cadence

export interface RepositoryConfig {
  /** `owner/name` as written in the file. */
  readonly name: string
  /** By name in lower case; never empty. */
  readonly environments: ReadonlyMap<string, EnvironmentConfig>
}

/** One place where one repository is deployed. */
export interface EnvironmentConfig {
  readonly repository: string
  readonly name: string
  /** Deployments of one lane never overlap; by default `owner/name/environment` in lower case. */
  readonly lane: string
  /** Check contexts; `undefined`: none are required; `all`: whatever GitHub reports for the commit. */
  readonly requiredContexts: readonly string[] | 'all' | undefined
  /** Deployments that others made on GitHub have to show them, too. */
  readonly enforceRequiredContexts: boolean
  /** Checks that nobody can skip, whoever made the deployment. */
  readonly evenWhenForced: readonly string[]
  /** Whether people may let a deployment pass what stands in its way. */
  readonly force: boolean
  /** How long a deployment waits for its checks. */
  readonly checksWaitSeconds: number
  /** What deploys by itself, beside the deployments that others make on GitHub. */
  readonly deployOn: 'merge' | 'push' | 'none'
  readonly via: Via
  /** Undefined: its source is never asked by itself. */
  readonly poll: Poll | undefined
  /** The branch that deploys by itself; undefined: the repository's default branch. */
  readonly branch: string | undefined
  /** What is deployed where a person names nothing; undefined: the head of the branch. */
  readonly defaultRef: string | undefined
  /** When deployments may begin; undefined: always. */
  readonly windows: Windows | undefined
  /** What becomes of what was asked for when something newer is: it keeps its place, or gives way. */
  readonly order: 'queue' | 'latest'
  /** A second person has to agree to a commit; undefined: nobody has. */
  readonly approval: ApprovalDemand | undefined
  /** Which environment of the repository has to take a commit first; undefined: none. */
  readonly after: Predecessor | undefined
  readonly acceptActionsDeployments: boolean
  readonly publicLogs: boolean
  /** Undefined: its logs stay on the server. */
  readonly logTo: LogTarget | undefined
  readonly environmentUrl: string | undefined
  /** Whether the commit gets a status, too. */
  readonly commitStatus: boolean
  /** Undefined: Slack is told nothing. */
  readonly slack: SlackNotices | undefined
  /** What the task `deploy` runs. */
  readonly recipe: Recipe
  /** What other tasks run, by their names. */
  readonly tasks: ReadonlyMap<string, Recipe>
  /** What runs a task that is not among these; undefined: nothing does. */
  readonly anyTask: Recipe | undefined
}

/** Whether GitHub is asked and told of a repository. */
export const isViaGitHub = ({ environments }: RepositoryConfig): boolean =>
  [...environments.values()].every(({ via }) => via === 'github')

/** What a task runs; undefined where it is not known there. */
export const recipeFor = ({ recipe, tasks, anyTask }: EnvironmentConfig, task: string): Recipe | undefined =>
  task === 'deploy' ? recipe : (tasks.get(task) ?? anyTask)

/** Who has to agree to a commit before it is deployed. */
export interface ApprovalDemand {
  /** Login names; undefined: whoever may talk to the server. */
  readonly by: readonly string[] | undefined
  /** For how long they agree. */
  readonly expiresSeconds: number
  /** Whether whoever has made the change, or asked for it, may be the one. */
  readonly allowsAuthor: boolean
}

/** The environment that has to take a commit first. */
export interface Predecessor {
  /** Its name as its own entry spells it. */
  readonly environment: string
  /** So long ago the success there must be. */
  readonly bakeSeconds: number
}
