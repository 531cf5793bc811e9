import type { Command } from '../cli.ts'
import { SERVER_OPTIONS, SERVER_OPTIONS_HELP } from './client.ts'
import { readGiven } from './given.ts'

/** `ferryman mark-bad`: say that a commit is nothing to go back to. */
export const markBad: Command = {
  summary: 'say that what a deployment put in place is nothing to go back to',
  usage: `Usage: ferryman mark-bad DEPLOYMENT [options]

DEPLOYMENT is its name, such as acme/shop/production#12, or its id; it must have ended. From now on :previous passes over
its commit in that environment, whichever deployment put it there. What runs there is not changed by it.

      --reason TEXT      why, for everybody to read
      --undo             take the mark back, and those of other deployments of the commit in that environment
      --json             the answer as JSON, for programs
${SERVER_OPTIONS_HELP}

Exit codes: 0 it is marked, or not any more; 1 it is as it was, since it has not ended or the server does not answer;
2 the call was wrong.
`,
  options: {
    ...SERVER_OPTIONS,
    reason: { type: 'string' },
    undo: { type: 'boolean' },
    json: { type: 'boolean' },
  },
  words: 1,
  async run(given) {
    const { runMarkBad } = await import('./run-mark-bad.ts')
    const { is, json, server, text } = readGiven(given)
    return runMarkBad({
      server,
      deployment: given.positionals[0],
      reason: text('reason'),
      undo: is('undo'),
      json,
    })
  },
}
