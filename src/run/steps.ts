import { fill } from '../config/placeholders.ts'
import { nameOf, type Deployment } from '../deployment/deployment.ts'
import type { CommandsRecipe } from '../deployment/recipe.ts'
import { playbookStep } from './ansible/playbook.ts'
import { quoted } from './quoted.ts'

/** One thing to do: a program with its arguments, no shell in between. */
export interface Step {
  readonly kind: 'command' | 'playbook'
  /** As a person would type it; for the log, never run. */
  readonly name: string
  readonly argv: readonly string[]
  /** What of its environment differs from that of the other steps. */
  readonly environment?: Readonly<Record<string, string>>
  /** Told when it has succeeded. */
  readonly succeeded?: () => Promise<void>
}

export type Compiled = { readonly steps: readonly Step[] } | { readonly refused: string }

/**
 * The recipe with its placeholders filled. Pure. Refused, with a sentence, when a value would become an option
 * or cannot be an argument at all; then nothing may run. `folder` is the private one of the run.
 */
export function compile(deployment: Deployment, previousSha: string | undefined, folder: string): Compiled {
  const { recipe } = deployment
  if (recipe.kind === 'ansible') return { steps: [playbookStep(recipe, folder)] }
  return compileCommands(deployment, recipe, previousSha)
}

function compileCommands(
  deployment: Deployment,
  recipe: CommandsRecipe,
  previousSha: string | undefined,
): Compiled {
  const { sha, ref, environment, task, repository, payload } = deployment
  const values = { sha, ref, environment, task, repository, previousSha, payload: readJson(payload) }
  const steps: Step[] = []
  for (const command of recipe.commands) {
    const argv: string[] = []
    for (const argument of command) {
      if (argument.includes('\0'))
        return {
          refused: `An argument of "${command[0] ?? ''}" contains a NUL character, which no program can be given. (${nameOf(deployment)})`,
        }
      const filled = fill(argument, values)
      if (typeof filled !== 'string')
        return {
          refused: `The argument "${argument}" was refused: {${filled.refused}} ${filled.because}. (${nameOf(deployment)})`,
        }
      argv.push(filled)
    }
    steps.push({ kind: 'command', name: argv.map(quoted).join(' '), argv })
  }
  return { steps }
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // then no placeholder finds anything in it
  }
}
