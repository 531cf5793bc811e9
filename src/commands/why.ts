import type { Command } from '../cli.ts'
import { SERVER_OPTIONS, SERVER_OPTIONS_HELP } from './client.ts'
import { readGiven } from './given.ts'

/** `ferryman why`: why is it not deploying? */
export const why: Command = {
  summary: 'say why an environment is not deploying, and what is behind it',
  usage: `Usage: ferryman why REPOSITORY [ENVIRONMENT] [options]

Says in one line what an environment is waiting for, or what became of the last that was asked for; below it the facts:
what deploys there, how each gate stands, what runs and waits, and what was heard from GitHub last. Without ENVIRONMENT
it is production, or the only one.

      --json             as JSON, for programs
${SERVER_OPTIONS_HELP}

Exit codes: 0 it worked; 1 it did not, and the text says why; 2 the call was wrong.
`,
  options: { ...SERVER_OPTIONS, json: { type: 'boolean' } },
  words: 2,
  async run(given) {
    const { runWhy } = await import('./run-why.ts')
    const { json, server } = readGiven(given)
    return runWhy({
      server,
      repository: given.positionals[0],
      environment: given.positionals[1],
      json,
    })
  },
}
