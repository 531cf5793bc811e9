import { readdir } from 'node:fs/promises'
import { join } from 'node:path'

import { removeTree } from './remove.ts'

/** What is kept of repositories from one deployment to the next: a bare one each. */
export interface Mirrors {
  readonly directory: string
  /** Where that of a repository is; `owner/name`. */
  pathOf(repository: string): string
  /**
   * Works on a mirror while nobody else does. Where somebody is there already, `waiting` is called, and the signal
   * ends the wait: then nothing is done, and the answer is undefined.
   */
  alone<Result>(
    path: string,
    work: () => Promise<Result>,
    wait?: { readonly signal: AbortSignal; waiting(): void },
  ): Promise<Result | undefined>
  /** Removes those of all other repositories, each when nobody works on it. */
  keepOnly(repositories: readonly string[]): Promise<void>
}

/** Mirrors below a directory that this server alone uses. */
export function createMirrors(directory: string): Mirrors {
  /** When the last in line leaves a mirror. */
  const lines = new Map<string, Promise<void>>()
  const pathOf = (repository: string): string => join(directory, `${repository.toLowerCase()}.git`)
  const alone: Mirrors['alone'] = async (path, work, wait) => {
    const before = lines.get(path)
    const left = Promise.withResolvers<void>()
    const line = Promise.all([before, left.promise]).then(() => {
      if (lines.get(path) === line) lines.delete(path)
    })
    lines.set(path, line)
    try {
      if (before !== undefined) {
        wait?.waiting()
        await (wait === undefined ? before : Promise.race([before, aborted(wait.signal)]))
        if (wait?.signal.aborted === true) return undefined
      }
      return await work()
    } finally {
      left.resolve()
    }
  }
  return {
    directory,
    pathOf,
    alone,
    async keepOnly(repositories) {
      const kept = new Set(repositories.map(pathOf))
      const others = (await mirrorsIn(directory)).filter((path) => !kept.has(path))
      for (const path of others) await alone(path, () => removeTree(path))
    },
  }
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })

async function mirrorsIn(directory: string): Promise<string[]> {
  const owners = await readdir(directory).catch(() => [])
  const inside = await Promise.all(
    owners.map(async (owner) => {
      const names = await readdir(join(directory, owner)).catch(() => [])
      return names.map((name) => join(directory, owner, name))
    }),
  )
  return inside.flat()
}
