import { once } from 'node:events'

import { RESULT } from '../web/api/dry-run.ts'
import { readAlong, type ServerChoice } from './client.ts'
import { wordsOf } from './run-deploy.ts'

interface DryRunOptions {
  readonly server: ServerChoice
  /** The repository, the environment and the ref; the last two may be left out. */
  readonly words: readonly string[]
  readonly task: string | undefined
}

export async function runDryRun({ server, words, task }: DryRunOptions): Promise<number> {
  const body = { ...wordsOf(words), ...(task === undefined ? {} : { task }) }
  // It ends when nobody reads along any more, and has not shown what would become of it.
  process.stdout.once('error', () => process.exit(1))
  const trailers = await readAlong(server, { method: 'POST', path: '/api/dry-run', body }, show)
  return trailers[RESULT] === 'succeeded' ? 0 : 1
}

async function show(bytes: Buffer): Promise<void> {
  if (!process.stdout.write(bytes)) await once(process.stdout, 'drain')
}
