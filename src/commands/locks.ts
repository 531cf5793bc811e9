import type { Command } from '../cli.ts'
import { SERVER_OPTIONS, SERVER_OPTIONS_HELP } from './client.ts'
import { readGiven } from './given.ts'

/** `ferryman locks`: what is locked. */
export const locks: Command = {
  summary: 'show what is locked, by whom and why',
  usage: `Usage: ferryman locks [options]

      --json             as JSON, for programs
${SERVER_OPTIONS_HELP}

Exit codes: 0 it worked; 1 it did not, and the text says why; 2 the call was wrong.
`,
  options: { ...SERVER_OPTIONS, json: { type: 'boolean' } },
  words: 0,
  async run(given) {
    const { runLocks } = await import('./run-locks.ts')
    const { json, server } = readGiven(given)
    return runLocks({
      server,
      json,
    })
  },
}
