import { setTimeout as pause } from 'node:timers/promises'

import { saidBy, type Changes } from '../deployment/changes.ts'
import { nameOf, type Deployment } from '../deployment/deployment.ts'
import type { GitHub } from '../github/github.ts'
import type { Journal } from '../logs/journal.ts'
import { cut, oneLine } from '../logs/one-line.ts'

export interface ChangesParts {
  github(): Pick<GitHub, 'changes'>
  mask(text: string): string
  readonly journal: Journal
}

export interface AskedChanges {
  /**
   * What came with the commit that is in place now, as far as GitHub has told by now or tells within two seconds;
   * `leaving` ends the wait. Undefined where it does not tell, and where nothing was there before. Never rejects.
   */
  of(sha: string, leaving: AbortSignal): Promise<Changes | undefined>
}

const MOST_MS = 2_000

/** Asks GitHub what a deployment brings, beside its run: neither its result nor its beginning depends on the answer. */
export function askForChanges(
  deployment: Deployment,
  previousSha: Promise<string | undefined>,
  { github, mask, journal }: ChangesParts,
): AskedChanges {
  const say = (text: string, most: number): string => cut(oneLine(mask(text)), most)
  const ask = async (sha: string): Promise<Changes | undefined> => {
    try {
      const from = await previousSha
      const found = from === undefined ? undefined : await github().changes(deployment.repository, from, sha)
      return found && saidBy(found, say)
    } catch (thrown) {
      journal.info('changes:unknown', { deployment: nameOf(deployment), id: deployment.id, error: thrown })
      return undefined
    }
  }
  const asked = ask(deployment.sha)
  return {
    async of(sha, leaving) {
      const answered = new AbortController()
      const signal = AbortSignal.any([leaving, answered.signal])
      const patience = pause(MOST_MS, undefined, { signal }).catch(() => undefined)
      try {
        return await Promise.race([sha === deployment.sha ? asked : ask(sha), patience])
      } finally {
        answered.abort()
      }
    },
  }
}
