import type { Command } from '../cli.ts'
import { SERVER_OPTIONS, SERVER_OPTIONS_HELP } from './client.ts'
import { readGiven } from './given.ts'

/** `ferryman unpin`: the end of a rollback. */
export const unpin: Command = {
  summary: 'let merges and pushes deploy by themselves again after a rollback',
  usage: `Usage: ferryman unpin REPOSITORY [ENVIRONMENT] [options]

What waits there goes by itself, the newest first. Without ENVIRONMENT it is production, or the only one.

      --json             the pin as JSON, for programs
${SERVER_OPTIONS_HELP}

Exit codes: 0 it is not pinned any more; 1 it was not, and the text says so; 2 the call was wrong.
`,
  options: { ...SERVER_OPTIONS, json: { type: 'boolean' } },
  words: 2,
  async run(given) {
    const { runUnpin } = await import('./run-unpin.ts')
    const { json, server } = readGiven(given)
    return runUnpin({
      server,
      repository: given.positionals[0],
      environment: given.positionals[1],
      json,
    })
  },
}
