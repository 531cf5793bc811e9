import type { Command } from '../cli.ts'
import { SERVER_OPTIONS, SERVER_OPTIONS_HELP } from './client.ts'
import { readGiven } from './given.ts'

/** `ferryman cancel`: take a deployment back. */
export const cancel: Command = {
  summary: 'take a deployment back, whether it waits or runs',
  usage: `Usage: ferryman cancel DEPLOYMENT [options]

DEPLOYMENT is its name, such as acme/shop/production#12, or its id. What waits never begins. What runs is told to
end, with everything that it has started, and killed after a quarter of a minute; the next one in line begins when the
last of its processes is gone. GitHub, Slack and the log say who cancelled it, and why.

      --reason TEXT      why, for everybody to read
      --json             the answer as JSON, for programs
${SERVER_OPTIONS_HELP}

Exit codes: 0 it is cancelled, or being cancelled; 1 it is not, since it had ended before or the server does not answer;
2 the call was wrong.
`,
  options: { ...SERVER_OPTIONS, reason: { type: 'string' }, json: { type: 'boolean' } },
  words: 1,
  async run(given) {
    const { runCancel } = await import('./run-cancel.ts')
    const { json, server, text } = readGiven(given)
    return runCancel({
      server,
      deployment: given.positionals[0],
      reason: text('reason'),
      json,
    })
  },
}
