import { join } from 'node:path'

import { fill, type PlaceholderValues } from '../config/placeholders.ts'
import { nameOf, type Deployment, type HookPhase } from '../deployment/deployment.ts'
import type { FailedReason } from '../deployment/reasons.ts'
import {
  wordsOf,
  type Command,
  type Hook,
  type Recipe,
  type TasksFolderRecipe,
} from '../deployment/recipe.ts'
import { playbookStep } from './ansible/playbook.ts'
import type { Begun } from './parts.ts'
import { healthStep } from './health.ts'
import { pushStep } from './heroku/push.ts'
import { quoted } from './quoted.ts'
import type { StepFailure } from './step.ts'

/** One thing to do. */
export type Step = CommandStep | ActionStep

/** A program with its arguments, no shell in between. */
export interface CommandStep {
  readonly kind: 'command' | 'playbook'
  /** As a person would type it; for the log, never run. */
  readonly name: string
  readonly argv: readonly string[]
  /** Where it runs, if that is not the folder of the recipe; an absolute path. */
  readonly folder?: string
  /** What of its environment differs from that of the other steps. */
  readonly environment?: Readonly<Record<string, string>>
  /** It may print nothing for as long as it takes: it watches itself. */
  readonly mayBeSilent?: boolean
  /** What it leaves in its group lives on, if that is not as the recipe says. */
  readonly leaveProcesses?: boolean
  /** Told when it has succeeded. */
  readonly succeeded?: () => Promise<void>
  /** Told when it has not, whatever ended it. */
  readonly failed?: () => Promise<void>
  /** What the configuration calls it. */
  readonly label?: string | undefined
  readonly hook?: HookPhase
  readonly timeoutSeconds?: number | undefined
  /** The user that it runs as; undefined: the one that runs the server. */
  readonly runAs?: string | undefined
  /** Patterns of files: left out where none of what has changed matches. */
  readonly onlyIfChanged?: readonly string[] | undefined
  readonly onFailure: OnFailure
}

/** Code of our own, with the commands that it needs. */
export interface ActionStep {
  readonly kind: 'action'
  /** What it does, for people: `check out 1234567 of acme/shop`. */
  readonly name: string
  /** Answers why it did not succeed, if it did not; throws for nothing that it can name. */
  readonly perform: (doing: Doing) => Promise<StepFailure | undefined>
  readonly hook?: HookPhase
  readonly onFailure: OnFailure
}

/** What an action can do. */
export interface Doing extends Pick<
  Begun,
  'log' | 'folder' | 'runId' | 'masker' | 'checkouts' | 'previousSha' | 'resolve'
> {
  /** The environment of the commands around it. */
  readonly variables: Readonly<Record<string, string>>
  /** Aborted when the run has to end; what waits for anything else than a command has to listen. */
  readonly signal: AbortSignal
  /** Runs a command like any other step, in this environment; answers why it did not succeed. */
  run(command: CommandStep, environment: Readonly<Record<string, string>>): Promise<StepFailure | undefined>
  /** What the last command has printed at the end, secrets masked. */
  lastLine(): string
  /** What there is to say of its success, in history and messages. */
  note(text: string): void
}

/** What becomes of the run when a step fails; `holds_on_75`: it waits after that exit code, and ends after another. */
type OnFailure = 'ends' | 'goes_on' | 'holds' | 'holds_on_75'

/** Everything that a deployment may run, in order. */
export interface Runbook {
  readonly before: readonly Step[]
  readonly work: readonly Step[]
  /** What puts it in place, where that is more than to do it. */
  readonly activate: readonly Step[]
  /** What makes the work effective and proves it. */
  readonly verify: readonly Step[]
  /** What brings back what was there before, where that can be. */
  readonly wayBack: WayBack | undefined
  readonly afterSuccess: readonly Step[]
  readonly afterFailure: readonly Step[]
}

interface WayBack {
  /** What comes back: `#11`. */
  readonly to: string
  /** Whether something else has taken its place by now. */
  isDue(): boolean
  readonly steps: readonly Step[]
}

export interface Refusal {
  readonly reason: FailedReason
  readonly detail: string
}

/** What a hook is told of itself. */
export const hookVariables = ({ hook }: Pick<Step, 'hook'>): Readonly<Record<string, string>> =>
  hook === undefined ? {} : { FERRYMAN_HOOK: hook }

/** What a recipe is compiled with, beside the deployment. */
export interface CompileFacts {
  readonly previousSha: string | undefined
  /** The private folder of the run. */
  readonly folder: string
  /** The path of its checkout; undefined where the recipe has none. */
  readonly workspace: string | undefined
  /** What is in the folders that the recipe names; see `foldersOf`. */
  readonly listed: ReadonlyMap<string, Listing>
  /** Options with which a playbook is only asked what it would do. */
  readonly asking?: readonly string[] | undefined
}

/** The names of the files in a folder in the order of their bytes; or why it cannot be listed, as a sentence. */
export type Listing =
  | { readonly files: readonly string[]; readonly executables: readonly string[] }
  | { readonly why: string }

/** sysexits.h calls it EX_TEMPFAIL: try again later. */
export const NOT_NOW = 75

/**
 * The recipe as steps, with its placeholders filled. Pure. Refused, with a sentence, when a value would become an
 * option or cannot be an argument at all, or when a folder or a task is not there; then nothing may run.
 */
export function compile(deployment: Deployment, facts: CompileFacts): Runbook | Refusal {
  const { hooks, healthCheck } = deployment.recipe
  try {
    const around = compileTask(deployment, facts)
    const hooked = (some: readonly Hook[], hook: HookPhase): readonly Step[] =>
      some.flatMap((one) => compileHook(one, hook, deployment, facts))
    return {
      before: [...hooked(hooks.before, 'before'), ...around.before],
      work: around.work,
      activate: [],
      verify: [
        ...hooked(hooks.verify, 'verify'),
        ...(healthCheck === undefined ? [] : [healthStep(healthCheck)]),
      ],
      wayBack: around.wayBack,
      afterSuccess: [...around.afterSuccess, ...hooked(hooks.afterSuccess, 'after_success')],
      afterFailure: [...around.afterFailure, ...hooked(hooks.afterFailure, 'after_failure')],
    }
  } catch (thrown) {
    if (thrown instanceof Refused) return thrown.refusal
    throw thrown
  }
}

/** The folders that have to be listed before the recipe can be compiled. Pure. */
export const foldersOf = ({ recipe }: Pick<Deployment, 'recipe'>): readonly string[] => [
  ...(recipe.kind === 'tasks_folder' ? [recipe.tasksFolder] : []),
  ...[recipe.hooks.before, recipe.hooks.verify, recipe.hooks.afterSuccess, recipe.hooks.afterFailure]
    .flat()
    .flatMap((hook) => ('folder' in hook ? [hook.folder] : [])),
]

class Refused extends Error {
  readonly refusal: Refusal
  constructor(reason: FailedReason, detail: string) {
    super(detail)
    this.refusal = { reason, detail }
  }
}

type Task = Omit<Runbook, 'verify' | 'activate'>

function compileTask(deployment: Deployment, facts: CompileFacts): Task {
  const { recipe } = deployment
  if (recipe.kind === 'tasks_folder') return compileTasksFolder(deployment, recipe, facts)
  return {
    before: [],
    work: workOf(deployment, recipe, facts),
    wayBack: undefined,
    afterSuccess: [],
    afterFailure: [],
  }
}

function workOf(
  deployment: Deployment,
  recipe: Exclude<Recipe, TasksFolderRecipe>,
  facts: CompileFacts,
): readonly Step[] {
  switch (recipe.kind) {
    case 'ansible':
      return [playbookStep(recipe, facts.folder, facts.asking)]
    case 'heroku':
      return [pushStep(deployment, recipe)]
    case 'commands':
      return recipe.commands.map((command) => compileCommand(command, 'ends', deployment, facts))
    default:
      return recipe satisfies never
  }
}

function compileCommand(
  command: Command,
  onFailure: OnFailure,
  deployment: Deployment,
  facts: CompileFacts,
): CommandStep {
  const argv = filled(wordsOf(command), deployment, facts)
  const { runAs } = deployment.recipe
  const step = { kind: 'command' as const, name: argv.map(quoted).join(' '), argv, runAs, onFailure }
  if (!('words' in command)) return step
  const { name: label, timeoutSeconds, continueOnError, onlyIfChanged } = command
  return {
    ...step,
    label,
    timeoutSeconds,
    onlyIfChanged,
    runAs: command.runAs ?? runAs,
    onFailure: continueOnError === true ? 'goes_on' : onFailure,
  }
}

/** A word as a sentence takes it. */
const shortened = (word: string): string => (word.length > 60 ? `${word.slice(0, 60)}…` : word)

function filled(
  words: readonly string[],
  deployment: Deployment,
  { previousSha, workspace }: CompileFacts,
): string[] {
  const { sha, ref, environment, task, repository, payload } = deployment
  const values: PlaceholderValues = {
    sha,
    ref,
    environment,
    task,
    repository,
    previousSha,
    workspace,
    payload: readJson(payload),
  }
  return words.map((word) => {
    if (word.includes('\0'))
      throw new Refused(
        'argument_refused',
        `An argument of "${words[0] ?? ''}" contains a NUL character, which no program can be given. (${nameOf(deployment)})`,
      )
    const text = fill(word, values)
    if (typeof text === 'string' && Buffer.byteLength(text) > MOST_WORD_BYTES)
      throw new Refused(
        'argument_refused',
        `The argument "${shortened(word)}" was refused: filled it has ${Buffer.byteLength(text)} bytes, and no program can be given more than ${MOST_WORD_BYTES} in one. FERRYMAN_PAYLOAD_FILE has the payload as a file. (${nameOf(deployment)})`,
      )
    if (typeof text === 'string') return text
    throw new Refused(
      'argument_refused',
      `The argument "${word}" was refused: {${text.refused}} ${text.because}. (${nameOf(deployment)})`,
    )
  })
}

/** Of each argument, by execve(2): 32 pages, with the NUL at its end. */
const MOST_WORD_BYTES = 131_071

function compileHook(
  hook: Hook,
  phase: HookPhase,
  deployment: Deployment,
  facts: CompileFacts,
): readonly Step[] {
  const [ofCommand, ofFolder] = ON_FAILURE[phase]
  if ('command' in hook)
    return [{ ...compileCommand(hook.command, ofCommand, deployment, facts), hook: phase }]
  const { executables } = listingOf(hook.folder, facts)
  const { runAs } = deployment.recipe
  return executables.map((name) => ({ ...executable(join(hook.folder, name), ofFolder), runAs, hook: phase }))
}

/** What becomes of the run when a hook fails: one that is a command, and one of a folder. */
const ON_FAILURE = {
  before: ['holds_on_75', 'holds'],
  verify: ['ends', 'ends'],
  after_success: ['goes_on', 'goes_on'],
  after_failure: ['goes_on', 'goes_on'],
} as const satisfies Record<HookPhase, readonly [OnFailure, OnFailure]>

function listingOf(folder: string, { listed }: CompileFacts): Exclude<Listing, { readonly why: string }> {
  const listing = listed.get(folder) ?? { why: `The folder ${folder} was not looked into.` }
  if ('why' in listing) throw new Refused('folder_missing', listing.why)
  return listing
}

const executable = (path: string, onFailure: OnFailure): CommandStep => ({
  kind: 'command',
  name: quoted(path),
  argv: [path],
  onFailure,
})

/** Executables that are run around every task of a folder, if they are there; no task can be called like them. */
export const AROUND_TASKS = ['pre_task', 'post_success', 'post_failure'] as const
type AroundTask = (typeof AROUND_TASKS)[number]

/** A name without a path in it, whoever made the deployment. */
const TASK = /^[A-Za-z0-9_][A-Za-z0-9._:-]{0,127}$/

function compileTasksFolder(deployment: Deployment, recipe: TasksFolderRecipe, facts: CompileFacts): Task {
  const { task } = deployment
  const { tasksFolder, runAs } = recipe
  const { files } = listingOf(tasksFolder, facts)
  const isReserved = (AROUND_TASKS as readonly string[]).includes(task)
  if (isReserved)
    throw new Refused('task_unknown', `Unknown task: ${task}. What is called so runs around every task.`)
  if (!TASK.test(task) || !files.includes(task)) throw new Refused('task_unknown', `Unknown task: ${task}`)
  const around = (name: AroundTask, onFailure: OnFailure, hook: HookPhase): readonly Step[] =>
    files.includes(name) ? [{ ...executable(join(tasksFolder, name), onFailure), runAs, hook }] : []
  return {
    before: around('pre_task', recipe.preTaskBlocks ? 'ends' : 'goes_on', 'before'),
    work: [{ ...executable(join(tasksFolder, task), 'ends'), runAs }],
    wayBack: undefined,
    afterSuccess: around('post_success', 'goes_on', 'after_success'),
    afterFailure: around('post_failure', 'goes_on', 'after_failure'),
  }
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // then no placeholder finds anything in it
  }
}
