import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { execa } from 'execa'

import type { PlaybookRecipe, Value } from '../../deployment/recipe.ts'
import { homeOf } from './galaxy.ts'
import { playbookStep, preparePlaybook, type Hindrance } from './playbook.ts'
import { extraVariables, resolveVariables } from './variables.ts'
import { playbookFailure } from './verdict.ts'

interface Play {
  readonly pattern: string
  readonly hosts: readonly string[]
}

/** What a playbook would do. */
export interface Rehearsal {
  /**
   * Of each play, the pattern of its hosts and those that it means; undefined where the playbook cannot be read yet,
   * since what it needs is installed by the next deployment.
   */
  readonly plays: readonly Play[] | undefined
  readonly notes: readonly string[]
}

export interface RehearseOptions {
  readonly variables: Readonly<Record<string, string>>
  readonly repository: string
  readonly environment: string
  /** Where what playbooks need is kept from one deployment to the next. */
  readonly installed: string
  readonly timeoutMs: number
  resolve(value: Value): string
}

/**
 * Asks Ansible whether the playbook can be read and which hosts it means; runs none of its tasks. An inventory
 * that is a program is run. The private folder is gone afterwards.
 */
export async function rehearse(
  recipe: PlaybookRecipe,
  options: RehearseOptions,
): Promise<Rehearsal | Hindrance> {
  const folder = await mkdtemp(join(tmpdir(), 'ferryman-check-'))
  try {
    return await rehearseIn(folder, recipe, options)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function rehearseIn(
  folder: string,
  recipe: PlaybookRecipe,
  { variables: given, repository, environment, installed, timeoutMs, resolve }: RehearseOptions,
): Promise<Rehearsal | Hindrance> {
  const { values } = resolveVariables(recipe.options.extraVars, resolve)
  const extra = extraVariables({ ...SAMPLE, repository, environment }, undefined, values)
  const variables = { ...given, ANSIBLE_FORCE_COLOR: '0' }
  const home = homeOf(installed, repository, environment)
  const prepared = await preparePlaybook(recipe, folder, { variables, extra, home })
  if ('reason' in prepared) return prepared
  if (prepared.before.length > 0) return { plays: undefined, notes: prepared.notes }
  const parts = { recipe, folder, variables: prepared.variables, timeoutMs }
  const syntax = await ask('--syntax-check', parts)
  if ('reason' in syntax) return syntax
  const hosts = await ask('--list-hosts', parts) // beside the other option it would say nothing
  return 'reason' in hosts ? hosts : { plays: playsIn(hosts.said), notes: prepared.notes }
}

interface Question {
  readonly recipe: PlaybookRecipe
  readonly folder: string
  readonly variables: Readonly<Record<string, string>>
  readonly timeoutMs: number
}

async function ask(
  option: string,
  { recipe, folder, variables, timeoutMs }: Question,
): Promise<{ readonly said: string } | Hindrance> {
  const [program = '', ...args] = playbookStep(recipe, folder, [option]).argv
  const { exitCode, signal, timedOut, stdout, stderr } = await execa(program, args, {
    cwd: recipe.folder,
    env: variables,
    extendEnv: false,
    stdin: 'ignore',
    maxBuffer: 1_000_000,
    timeout: timeoutMs,
    killDescendants: true,
    reject: false,
  })
  if (timedOut)
    return { reason: 'timed_out', detail: `Ansible did not read the playbook within ${timeoutMs / 1000} s.` }
  const lines = [...stdout.split('\n'), ...stderr.split('\n')]
  const failure =
    exitCode === 0
      ? undefined
      : playbookFailure({ exitCode, signal, account: NOT_BEGUN, lines, hasTags: false })
  return failure ?? { said: stdout }
}

const NOT_BEGUN = { kind: 'not_begun' } as const
const SAMPLE = {
  sha: '0'.repeat(40),
  ref: 'main',
  task: 'deploy',
  actor: 'check',
  number: 0,
  payload: '{}',
} as const

/** Reads what `--list-hosts` prints of each play: its pattern, `hosts (2):`, and a line for each. */
function playsIn(text: string): Play[] {
  const [, ...plays] = text.split(/^ {2}play #\d+ /m)
  return plays.map((play) => {
    const [, pattern = ''] = /^ {4}pattern: \[(.*)\]$/m.exec(play) ?? []
    const [, list = ''] = /^ {4}hosts \(\d+\):$([\s\S]*)/m.exec(play) ?? []
    const hosts = list.split('\n').map((line) => line.trim())
    return { pattern, hosts: hosts.filter((host) => host !== '').toSorted() }
  })
}
