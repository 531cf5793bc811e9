import type { Command } from '../cli.ts'
import { SERVER_OPTIONS, SERVER_OPTIONS_HELP } from './client.ts'
import { readGiven } from './given.ts'

/** `ferryman outbox`: what GitHub and Slack are still to be told, and what they did not take. */
export const outbox: Command = {
  summary: 'show what GitHub and Slack are still to be told and what they refused, and send it again',
  usage: `Usage: ferryman outbox [list] [options]
       ferryman outbox send ID
       ferryman outbox send refused

What is owed is tried until it is delivered. GitHub refuses for good with 410 and 422, with 404 where the deployment is
there no more, and with 401, 403 or 404 when that goes on for seven days: the token may not, or sees no such repository.
Slack refuses for good with any 4xx but 401, 403, 408 and 429, and with 401 or 403 after seven days: the webhook is
gone. When you have mended that, send it again.

  list          what is owed, the oldest first, with when it is tried next and why not now; and what was refused,
                the newest first; the default
  send ID       try one now, whether it waits or was refused. Not when there is a newer word about the same deployment:
                of each, only the newest can be sent
  send refused  all that were refused and that nothing newer has overtaken

      --limit N          how many of each to list, at most 1000; else 20
      --json             as JSON, for programs
${SERVER_OPTIONS_HELP}

Exit codes: 0 it worked; 1 it did not, and the text says why; 2 the call was wrong.
`,
  options: {
    ...SERVER_OPTIONS,
    limit: { type: 'string' },
    json: { type: 'boolean' },
  },
  words: 2,
  async run(given) {
    const { runOutbox } = await import('./run-outbox.ts')
    const { json, server, text } = readGiven(given)
    return runOutbox({
      server,
      what: given.positionals[0] ?? 'list',
      which: given.positionals[1],
      limit: text('limit'),
      json,
    })
  },
}
