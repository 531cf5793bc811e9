import { posix } from 'node:path'
import { z } from 'zod'

import { ALLOWABLE, type InRepository, type Recipe } from '../deployment/recipe.ts'
import { expecting, text } from './expecting.ts'
import { isOfArchive } from './releases.ts'
import { originIn, type Level, type WorkOptions } from './work.ts'

const USUAL_FILE = '.ferryman.yml'

const ALLOW = `a list of keys such as [commands, timeout]; there are ${ALLOWABLE.join(', ')}`
const allow = z
  .array(z.enum(ALLOWABLE, expecting(`one of ${ALLOWABLE.join(', ')}`)), expecting(ALLOW))
  .min(1, expecting(ALLOW))
const FILE = 'a path in the repository such as .ferryman.yml'
const FORMS = 'a list of keys such as [commands, timeout], or a mapping with allow'

/** The key of the server's file that lets a file in the repository have a say. */
export const inRepository = z
  .union(
    [
      allow,
      z.strictObject(
        {
          allow: allow.describe('The keys that the file may have.'),
          file: text(FILE)
            .max(255, expecting(FILE))
            .refine(isInside, expecting(FILE))
            .optional()
            .meta({ description: 'Where it is in the repository.', default: USUAL_FILE }),
        },
        expecting(FORMS),
      ),
    ],
    expecting(FORMS),
  )
  .optional()
  .describe(
    'What a file in the repository may say itself, read at the commit that is deployed: a list of keys such as [commands, timeout]. What is not in it stays with this file. Needs `workspace: fresh`.',
  )

function isInside(path: string): boolean {
  return !/^[-/]|^\.\.?(?:\/|$)|\/$/.test(path) && posix.normalize(path) === path
}

const givenIn = (levels: readonly Level[]) =>
  levels.find(({ entry }) => entry.in_repository !== undefined)?.entry.in_repository

/** What the nearest level that speaks of it allows. */
export function readInRepository(levels: readonly Level[]): InRepository | undefined {
  const given = givenIn(levels)
  if (given === undefined) return undefined
  if (Array.isArray(given)) return { file: USUAL_FILE, allow: given }
  return { file: given.file ?? USUAL_FILE, allow: given.allow }
}

/** Whether the commands may stand in the repository, and need not here. */
export const mayBringCommands = (levels: readonly Level[]): boolean =>
  readInRepository(levels)?.allow.includes('commands') === true

/** Complains about a file that could not be read, or that would say more than it seems to. */
export function checkInRepository(
  recipe: Recipe,
  levels: readonly Level[],
  complain: WorkOptions['complain'],
): void {
  const { inRepository: given } = recipe
  if (given === undefined) return
  const path = originIn(levels, 'in_repository')
  if (recipe.kind !== 'commands')
    complain(path, 'says nothing of a playbook or of a folder of tasks; write `commands`, or leave it out')
  else if (recipe.workspace === undefined || isOfArchive(levels))
    complain(path, 'is read in a checkout of the commit: write `workspace: fresh` beside it')
  if (given.allow.includes('env') && !given.allow.includes('commands'))
    complain(path, 'variables can make something else of a command: allow `commands` as well, or not `env`')
}
