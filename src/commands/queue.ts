import type { Command } from '../cli.ts'
import { SERVER_OPTIONS, SERVER_OPTIONS_HELP } from './client.ts'
import { readGiven } from './given.ts'

/** `ferryman queue`: what runs and what waits. */
export const queue: Command = {
  summary: 'show what runs and what waits: who asked for it, its place in line, and when it begins',
  usage: `Usage: ferryman queue [REPOSITORY [ENVIRONMENT]] [options]

What waits for its turn alone has a place in line, and a time at which it probably begins: as if everything took as long
as the successes of the last seven days. What is held says why.

      --json             as JSON, for programs
${SERVER_OPTIONS_HELP}

Exit codes: 0 it worked; 1 it did not, and the text says why; 2 the call was wrong.
`,
  options: { ...SERVER_OPTIONS, json: { type: 'boolean' } },
  words: 2,
  async run(given) {
    const { runQueue } = await import('./run-queue.ts')
    const { json, server } = readGiven(given)
    return runQueue({
      server,
      repository: given.positionals[0],
      environment: given.positionals[1],
      json,
    })
  },
}
