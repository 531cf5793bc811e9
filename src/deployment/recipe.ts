/**
 * A word from the configuration that may hold secrets by reference. A snapshot of it can be stored:
 * it names where the value lies and is read when the command starts.
 */
export type Value =
  | { readonly literal: string }
  /** A text with `${NAME}` in it, filled from the server's environment. */
  | { readonly template: string }
  /** The content of a file, without its last line break. */
  | { readonly file: string }
  /** A literal that looks like a secret: the path of its key in the configuration, read again when needed. */
  | { readonly config: readonly string[] }

/**
 * What the configuration says to do for one deployment, as it was when the deployment was accepted.
 * Plain JSON: it is stored with the deployment, and what is stored is what runs.
 */
export type Recipe = CommandsRecipe | PlaybookRecipe | TasksFolderRecipe | HerokuRecipe

export interface CommandsRecipe extends Circumstances {
  readonly kind: 'commands'
  readonly commands: readonly Command[]
}

/** An argument array with placeholders still in it, such as `{sha}`; or that and more about it. */
export type Command = readonly string[] | NamedCommand

interface NamedCommand {
  readonly words: readonly string[]
  /** What people call it. */
  readonly name?: string
  /** Its own limit, within that of all steps together. */
  readonly timeoutSeconds?: number
  /** The next one is begun although it fails. */
  readonly continueOnError?: boolean
  /** It is left out where none of the files that differ from the last success matches one of these patterns. */
  readonly onlyIfChanged?: readonly string[]
  /** The user that it runs as, before that of the recipe. */
  readonly runAs?: string
}

/** Runs the executable that is named after the task. */
export interface TasksFolderRecipe extends Circumstances {
  readonly kind: 'tasks_folder'
  /** Absolute path. */
  readonly tasksFolder: string
  /** Whether a `pre_task` that fails ends it; else that is only logged. */
  readonly preTaskBlocks: boolean
}

export interface PlaybookRecipe extends Circumstances {
  readonly kind: 'ansible'
  /** Absolute path of the inventory, or a list of hosts with a comma in it. */
  readonly inventory: string
  /** Absolute path. */
  readonly playbook: string
  readonly options: PlaybookOptions
}

/** Pushes the commit to Heroku, which builds and releases it. */
export interface HerokuRecipe extends Circumstances {
  readonly kind: 'heroku'
  /** What Heroku calls the application. */
  readonly app: string
  readonly apiKey: Value
  /** Where it is pushed to, without credentials. */
  readonly url: string
  readonly branch: string
}

/** How a playbook is run; the paths are absolute. */
export interface PlaybookOptions {
  /** A host pattern. */
  readonly limit?: string | undefined
  readonly tags: readonly string[]
  readonly skipTags: readonly string[]
  readonly extraVars: Readonly<Record<string, Variable>>
  readonly vaultPasswordFile?: string | undefined
  /** What of Ansible Galaxy it needs. */
  readonly requirements?: string | undefined
  /** An ansible.cfg. */
  readonly config?: string | undefined
}

/** What a variable of a playbook holds: JSON, of which every text may lie elsewhere. */
export type Variable =
  | { readonly text: Value }
  | { readonly plain: number | boolean }
  | { readonly list: readonly Variable[] }
  | { readonly mapping: Readonly<Record<string, Variable>> }

/** Everything as Ansible does it by itself. */
export const USUAL_OPTIONS: PlaybookOptions = { tags: [], skipTags: [], extraVars: {} }

/** Where, with what and within which limits something runs. */
export interface Circumstances {
  /** Absolute path; the working directory of every command. In a checkout it begins with `IN_WORKSPACE`. */
  readonly folder: string
  /** Each deployment has a checkout of its own; undefined: all work in the same folder. */
  readonly workspace?: Workspace | undefined
  /** Each deployment makes a release, in whose folder it runs: that is the checkout, or what a zip is unpacked to. */
  readonly releases?: ReleasesRecipe | undefined
  readonly env: Readonly<Record<string, Value>>
  /** The user that its commands run as; undefined: the one that runs the server. */
  readonly runAs?: string | undefined
  /** Limit for all steps together, counted from `running`. */
  readonly timeoutSeconds: number
  /** How long a step may print nothing. */
  readonly silenceSeconds: number
  /** What a step leaves in its process group when it succeeds lives on. */
  readonly leaveProcesses: boolean
  /** The log keeps its head and its tail within this size. */
  readonly maxLogBytes: number
  readonly hooks: Hooks
  readonly healthCheck?: HealthCheck | undefined
  /** What a file of the commit may say instead; undefined: nothing. */
  readonly inRepository?: InRepository | undefined
}

/** What a file in the repository may be allowed to say: keys of the configuration. */
export const ALLOWABLE = [
  'commands',
  'folder',
  'env',
  'timeout',
  'silence_timeout',
  'hooks',
  'health_check',
] as const
export type Allowable = (typeof ALLOWABLE)[number]

/** A file in the repository that may say some of a recipe. */
export interface InRepository {
  /** A path in the repository. */
  readonly file: string
  readonly allow: readonly Allowable[]
}

/** What has to answer, and how, when the work is done. */
export interface HealthCheck {
  readonly url: string
  readonly status: number
  readonly tries: number
  /** From one try to the next. */
  readonly intervalSeconds: number
  readonly answerWithinSeconds: number
}

/** Where a fresh checkout for each deployment comes from, and what belongs to it; the paths are absolute. */
export interface Workspace {
  /** Without credentials in it; undefined: the repository at GitHub, over ssh where there is a key for that. */
  readonly url?: string | undefined
  readonly submodules: boolean
  readonly lfs: boolean
  readonly sshKeyFile?: string | undefined
  /** Undefined: those that ssh knows by itself. */
  readonly knownHostsFile?: string | undefined
  /** Our own token is shown to nobody, wherever the address leads. */
  readonly withoutToken?: boolean
}

/** A folder of releases, and what they are made of. */
export interface ReleasesRecipe {
  /** Absolute. */
  readonly path: string
  /** How many good ones are kept. */
  readonly keep: number
  /** What is linked into each; what ends with `/` is a folder. */
  readonly shared: readonly string[]
  readonly target: 'link' | 'directory'
  /** Of a checkout only this folder is released, a path in it; undefined: all of it. */
  readonly directory?: string
  /** Undefined: the checkout. */
  readonly source?: ZipSource | undefined
  /** Somebody goes back: a good release of the commit is made current as it is, where there is one. */
  readonly goesBack?: boolean
}

/** A zip that is downloaded; placeholders are still in its address. */
export interface ZipSource {
  readonly address: Value
  /** What is deployed is the version of it, `versionId`, and no commit that somebody else has named. */
  readonly isPolled?: boolean
  readonly s3: {
    readonly region?: string | undefined
    readonly endpoint?: string | undefined
    /** Absolute. */
    readonly keyFile?: string | undefined
    readonly accessKeyId?: Value | undefined
    readonly secretAccessKey?: Value | undefined
  }
}

/** Stands for the checkout in the paths of a recipe, which does not know yet where that will be. */
export const IN_WORKSPACE = '/{workspace}'

/** The recipe for a checkout at this absolute path. Pure. */
export function recipeAt<Any extends Recipe>(recipe: Any, workspace: string): Any {
  const at = (path: string): string =>
    path === IN_WORKSPACE || path.startsWith(`${IN_WORKSPACE}/`)
      ? `${workspace}${path.slice(IN_WORKSPACE.length)}`
      : path
  const maybe = (path: string | undefined): string | undefined => (path === undefined ? path : at(path))
  const placed = { ...recipe, folder: at(recipe.folder) }
  if (placed.kind !== 'ansible') return placed
  const { vaultPasswordFile, requirements, config } = placed.options
  const files = {
    vaultPasswordFile: maybe(vaultPasswordFile),
    requirements: maybe(requirements),
    config: maybe(config),
  }
  return {
    ...placed,
    inventory: at(placed.inventory),
    playbook: at(placed.playbook),
    options: { ...placed.options, ...files },
  }
}

/** What is run around the work. */
export interface Hooks {
  readonly before: readonly Hook[]
  /** What makes the work effective and proves it: one that fails is a failure of the deployment. */
  readonly verify: readonly Hook[]
  readonly afterSuccess: readonly Hook[]
  readonly afterFailure: readonly Hook[]
  /** Limit for all together that follow the work. */
  readonly timeoutSeconds: number
}

/** A command, or every executable of a folder (an absolute path) in the order of their names. */
export type Hook = { readonly command: Command } | { readonly folder: string }

/** No hooks at all. */
export const NO_HOOKS: Hooks = {
  before: [],
  verify: [],
  afterSuccess: [],
  afterFailure: [],
  timeoutSeconds: 600,
}

/** The recipe for going back to a commit that was there. Pure. */
export const goingBack = (recipe: Recipe): Recipe =>
  recipe.releases === undefined ? recipe : { ...recipe, releases: { ...recipe.releases, goesBack: true } }

/** The words of a command, however it was written. */
export const wordsOf = (command: Command): readonly string[] => ('words' in command ? command.words : command)

/** What a recipe says that was stored before these words existed. */
const BEFORE = {
  silenceSeconds: 600,
  leaveProcesses: false,
  hooks: NO_HOOKS,
} as const satisfies Partial<Circumstances>

const PLAYBOOK_BEFORE = { options: USUAL_OPTIONS } as const satisfies Partial<PlaybookRecipe>

/** A recipe as it was stored, by whichever version. */
export function readRecipe(stored: string): Recipe {
  const recipe: Recipe = { ...BEFORE, ...(JSON.parse(stored) as Recipe) }
  return recipe.kind === 'ansible' ? { ...PLAYBOOK_BEFORE, ...recipe } : recipe
}
