import { readRepositoryFile } from '../config/repository-file.ts'
import type { Deployment } from '../deployment/deployment.ts'
import { recipeAt, type InRepository, type Recipe } from '../deployment/recipe.ts'
import { askGit } from './git-question.ts'
import type { Failure } from './step.ts'
import type { Runbook, Step } from './steps.ts'
import { folderIn } from './workspace/check-out.ts'

interface Place {
  /** Where git knows the commit. */
  readonly repository: string
  /** The checkout. */
  readonly workspace: string
  /** Where programs are looked for. */
  readonly path: string
  readonly tell: (line: string) => Promise<void>
}

/** What a plan calls it. `isKnown`: what follows is what the file says. */
export const hearName = (sha: string, { file, allow }: InRepository, isKnown: boolean): string =>
  `read ${file} of ${sha.slice(0, 7)}${isKnown ? '' : `, which may say instead of what follows: ${allow.join(', ')}`}`

const MOST_BYTES = 65_536

/**
 * The recipe with what a file of the commit says of it, where the configuration lets it; or why nothing can run. The file
 * is read out of git and never out of the work tree, where a filter or a link could make something else of it.
 */
export async function recipeOfCommit(
  deployment: Commit,
  { repository, workspace, path, tell }: Place,
): Promise<Recipe | Failure> {
  const { recipe } = deployment
  if (recipe.inRepository === undefined) return recipe
  const heard = await hear(deployment, { repository, path, tell })
  if ('reason' in heard || heard === recipe) return heard
  const placed = recipeAt(heard, workspace)
  return (await folderIn(workspace, placed.folder)) ?? placed
}

type Commit = Pick<Deployment, 'recipe' | 'sha' | 'environment' | 'task'>

/** The same before anything is fetched; undefined where git does not have the commit yet. */
export async function recipeOfKnown(
  deployment: Commit,
  { repository, path }: Pick<Place, 'repository' | 'path'>,
): Promise<Recipe | Failure | undefined> {
  const isKnown =
    (await askGit(repository, path, ['cat-file', '-e', `${deployment.sha}^{commit}`])) !== undefined
  return isKnown ? hear(deployment, { repository, path, tell: () => Promise.resolve() }) : undefined
}

async function hear(
  { recipe, sha, environment, task }: Commit,
  { repository, path, tell }: Omit<Place, 'workspace'>,
): Promise<Recipe | Failure> {
  const { inRepository } = recipe
  if (inRepository === undefined || recipe.kind !== 'commands') return recipe
  const { file } = inRepository
  const at = `${file} of ${sha.slice(0, 7)}`
  const found = await readFromGit(inRepository, sha, { repository, path })
  if ('wrong' in found) return wrong(`${at} ${found.wrong}.`)
  if (found.text === undefined) {
    if (recipe.commands.length === 0 && recipe.releases === undefined)
      return wrong(`There is no ${at}, and the configuration of the server has no commands.`)
    await tell(`There is no ${at}: all is as the configuration of the server says.`)
    return recipe
  }
  const reading = readRepositoryFile(recipe, { ...inRepository, text: found.text, environment, task })
  if ('wrong' in reading) {
    const [first = '', ...rest] = reading.wrong
    for (const line of rest.length === 0 ? [] : reading.wrong) await tell(line)
    return wrong(rest.length === 0 ? first : `${first} (and ${rest.length} more, in the log)`)
  }
  if (reading.recipe.commands.length === 0 && recipe.releases === undefined)
    return wrong(`${at} has no commands, and the configuration of the server has none.`)
  await tell(`${at} was read: it may say ${inRepository.allow.join(', ')}.`)
  return reading.recipe
}

/** The variables that a commit has set itself. Pure. */
export const variablesOfCommit = (recipe: Recipe, configured: Recipe): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(recipe.env).flatMap(([name, value]) =>
      'literal' in value && !Object.hasOwn(configured.env, name) ? [[name, value.literal]] : [],
    ),
  )

/**
 * The steps with these variables of a commit. They are for its own commands and for those that run as the same user:
 * who runs as somebody else, and git where we ask it ourselves, would else be what the commit makes of them. Pure.
 */
export function withVariables<Some extends Runbook>(
  runbook: Some,
  variables: Readonly<Record<string, string>>,
  { runAs }: Pick<Recipe, 'runAs'>,
): Some {
  const told = (steps: readonly Step[]): readonly Step[] =>
    steps.map((step) =>
      step.kind === 'action' || step.runAs !== runAs
        ? step
        : { ...step, environment: { ...variables, ...step.environment } },
    )
  const { before, work, verify, afterSuccess, afterFailure } = runbook
  return {
    ...runbook,
    before: told(before),
    work: told(work),
    verify: told(verify),
    afterSuccess: told(afterSuccess),
    afterFailure: told(afterFailure),
  }
}

const wrong = (detail: string): Failure => ({ reason: 'config_invalid', detail })

async function readFromGit(
  { file }: InRepository,
  sha: string,
  { repository, path }: Pick<Place, 'repository' | 'path'>,
): Promise<{ readonly text: string | undefined } | { readonly wrong: string }> {
  const listed = await askGit(repository, path, [
    '--literal-pathspecs',
    'ls-tree',
    '-l',
    '-z',
    '--full-tree',
    sha,
    '--',
    file,
  ])
  if (listed === undefined) return { wrong: 'cannot be read: git does not answer' }
  if (listed === '') return { text: undefined }
  const [, mode, kind, id, size] = /^(\d+) (\w+) ([0-9a-f]+) +(\d+|-)\t/.exec(listed) ?? []
  if (kind !== 'blob' || id === undefined) return { wrong: 'is no file' }
  if (mode === '120000') return { wrong: 'is a link, and is not followed' }
  if (Number(size) > MOST_BYTES) return { wrong: `is larger than ${MOST_BYTES / 1024} KB` }
  const text = await askGit(repository, path, ['cat-file', 'blob', id])
  if (text === undefined) return { wrong: 'cannot be read: git does not answer' }
  return text.includes('\uFFFD') ? { wrong: 'is no UTF-8' } : { text }
}
