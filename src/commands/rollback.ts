import type { Command } from '../cli.ts'
import { SERVER_OPTIONS, SERVER_OPTIONS_HELP } from './client.ts'
import { readGiven } from './given.ts'

/** `ferryman rollback`: go back to an earlier deployment. */
export const rollback: Command = {
  summary: 'go back to an earlier deployment, and let nothing newer come by itself',
  usage: `Usage: ferryman rollback REPOSITORY [ENVIRONMENT] [options]

Deploys what the last success before this one put in place, or with --to what that deployment put there. What is there
now is marked bad (\`ferryman mark-bad --undo\` takes that back), and the environment is pinned: merges and pushes wait
until \`ferryman unpin\`, or until somebody deploys another commit with success. It waits for its gates and its turn like
every other; --force passes locks, windows and earlier environments.

      --to NUMBER        the number of a deployment of this environment that has succeeded, such as 11
      --reason TEXT      why, for everybody to read
      --force            past checks, locks, windows and earlier environments; needs --reason
      --wait             say what becomes of it until it has ended; ^C ends the waiting, and nothing else
      --key TEXT         with the same key the same wish is granted once, however often it is sent
      --json             the answer as JSON, for programs; with --wait that at the end
${SERVER_OPTIONS_HELP}

Exit codes: 0 it is asked for; with --wait, it has succeeded; 1 it is not, or did not, and the text says why; 2 the call
was wrong.
`,
  options: {
    ...SERVER_OPTIONS,
    to: { type: 'string' },
    reason: { type: 'string' },
    force: { type: 'boolean' },
    wait: { type: 'boolean' },
    key: { type: 'string' },
    json: { type: 'boolean' },
  },
  words: 2,
  async run(given) {
    const { runRollback } = await import('./run-rollback.ts')
    const { is, json, server, text } = readGiven(given)
    return runRollback({
      server,
      words: given.positionals,
      to: text('to'),
      reason: text('reason'),
      force: is('force'),
      wait: is('wait'),
      key: text('key'),
      json,
    })
  },
}
