import type { Command } from '../cli.ts'
import { SERVER_OPTIONS, SERVER_OPTIONS_HELP } from './client.ts'
import { readGiven } from './given.ts'

/** `ferryman lock`: let nothing begin somewhere. */
export const lock: Command = {
  summary: 'let nothing begin in an environment, a repository or anywhere, and say why',
  usage: `Usage: ferryman lock REPOSITORY [ENVIRONMENT] --reason TEXT [options]
       ferryman lock --everything --reason TEXT [options]

Nothing begins there while the lock is there: what comes is held and says why, and goes by itself when the lock is
freed. What runs already is untouched. There is one lock for each environment, each repository and everything; whoever
comes second is told who holds it.

      --reason TEXT      why, for everybody to read
      --for TIME         it ends by itself after a time like 45m, 2h or 1d
      --everything       all repositories
      --json             the lock as JSON, for programs; its id frees it and no newer one: \`ferryman unlock --lock ID\`
${SERVER_OPTIONS_HELP}

Exit codes: 0 it is locked; 1 it is not, and the text says why (somebody holds it already, for one); 2 the call was wrong.
`,
  options: {
    ...SERVER_OPTIONS,
    reason: { type: 'string' },
    for: { type: 'string' },
    everything: { type: 'boolean' },
    json: { type: 'boolean' },
  },
  words: 2,
  async run(given) {
    const { runLock } = await import('./run-locks.ts')
    const { is, json, server, text } = readGiven(given)
    return runLock({
      server,
      repository: given.positionals[0],
      environment: given.positionals[1],
      isEverything: is('everything'),
      reason: text('reason'),
      lasting: text('for'),
      json,
    })
  },
}
