import { readdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { Deployment } from '../../deployment/deployment.ts'
import type { ActionStep } from '../steps.ts'
import type { CheckOutParts } from './check-out.ts'
import { withGit } from './git.ts'
import { sourceOf } from './source.ts'

const DAY_MS = 24 * 60 * 60_000
const KEPT_DAYS = 30
const NOTE = 'ferryman-tidied'

/**
 * Lets git pack a mirror anew, if git thinks so, and removes what Git LFS has fetched long ago; undefined where that was
 * done within a day, or there is none any more. A mirror that somebody works on is left alone.
 */
export async function tidyStep(
  { repository, configuredAs }: Deployment,
  { mirrors, workspaces, workspace, variables, githubUrl }: Omit<CheckOutParts, 'path'>,
  now = Date.now(),
): Promise<ActionStep | undefined> {
  const mirror = mirrors.pathOf(configuredAs)
  const [kept, last] = await Promise.all(
    [mirror, join(mirror, NOTE)].map((path) => stat(path).catch(() => undefined)),
  )
  if (kept === undefined) return undefined // its repository was taken out of the configuration meanwhile
  if (last !== undefined && Math.abs(now - last.mtimeMs) < DAY_MS) return undefined
  return {
    kind: 'action',
    name: `tidy what is kept of ${repository}`,
    onFailure: 'goes_on',
    async perform(doing) {
      const gitParts = {
        source: sourceOf(workspace, repository, githubUrl()),
        repository,
        variables,
        ceilings: [mirrors.directory, workspaces],
        lfs: false,
        token: () => Promise.reject(new Error('Nothing is fetched.')),
      }
      return withGit(gitParts, doing, (git) =>
        mirrors.alone(
          mirror,
          async () => {
            await writeFile(join(mirror, NOTE), '')
            await removeOld(join(mirror, 'lfs/objects'), now - KEPT_DAYS * DAY_MS)
            return git.run(['-c', 'gc.auto=6700', 'gc', '--auto', '--quiet'], { folder: mirror })
          },
          { signal: AbortSignal.abort(), waiting() {} },
        ),
      )
    },
  }
}

/** Files that are older; one that is still wanted is fetched once more. */
async function removeOld(folder: string, before: number): Promise<void> {
  const files = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  for (const file of files.filter((one) => one.isFile())) {
    const path = join(file.parentPath, file.name)
    const { mtimeMs } = await stat(path)
    if (mtimeMs < before) await rm(path, { force: true })
  }
}
