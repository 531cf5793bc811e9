import type { Command } from '../cli.ts'
import { SERVER_OPTIONS, SERVER_OPTIONS_HELP } from './client.ts'
import { readGiven } from './given.ts'

/** `ferryman deliveries`: what GitHub has sent, and what became of it. */
export const deliveries: Command = {
  summary: 'show what GitHub has sent and what became of it, and let it be decided anew',
  usage: `Usage: ferryman deliveries [list] [options]
       ferryman deliveries show ID
       ferryman deliveries body ID
       ferryman deliveries replay ID

Every delivery that was signed is kept for a time (retention.deliveries), with its verdict, the reason, and the
deployments that it led to. ID is the number in the list, or the GUID that GitHub shows (X-GitHub-Delivery).

  list    the newest; the default
  show    one of them, with its headers
  body    what GitHub sent, byte for byte and with nothing masked; on a terminal its controls are spelled out
  replay  decide anew with today's configuration. What is deployed, or on its way, is not started again.

      --limit N          how many to list, at most 1000; else 20
      --before ID        list those before this one
      --verdict VERDICT  only queued, deciding, ignored, repeated or refused ones
      --event EVENT      only these, such as deployment or pull_request
      --json             as JSON, for programs
${SERVER_OPTIONS_HELP}

Exit codes: 0 it worked; 1 it did not, and the text says why; 2 the call was wrong.
`,
  options: {
    ...SERVER_OPTIONS,
    limit: { type: 'string' },
    before: { type: 'string' },
    verdict: { type: 'string' },
    event: { type: 'string' },
    json: { type: 'boolean' },
  },
  words: 2,
  async run(given) {
    const { runDeliveries } = await import('./run-deliveries.ts')
    const { json, server, text } = readGiven(given)
    return runDeliveries({
      server,
      what: given.positionals[0] ?? 'list',
      id: given.positionals[1],
      filter: {
        limit: text('limit'),
        before: text('before'),
        verdict: text('verdict'),
        event: text('event'),
      },
      json,
    })
  },
}
