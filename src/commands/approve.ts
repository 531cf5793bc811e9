import type { Command } from '../cli.ts'
import { SERVER_OPTIONS, SERVER_OPTIONS_HELP } from './client.ts'
import { readGiven } from './given.ts'

/** `ferryman approve`: agree to a commit going to an environment. */
export const approve: Command = {
  summary: 'agree to a deployment that waits for a second person',
  usage: `Usage: ferryman approve DEPLOYMENT [options]

DEPLOYMENT is its name, such as acme/shop/production#12, or its id. You agree to this very commit going to that
environment: it begins when everything else is open, too, and another commit asks anew. Who you are is your login name on
this machine; under sudo it is the name of whoever called it. Whoever has made the change or asked for it is refused,
unless the configuration says otherwise. An approval ends after some time (a day, or as \`expires\` says).

      --undo             take your approval back, as long as it has not begun
      --json             the answer as JSON, for programs
${SERVER_OPTIONS_HELP}

Exit codes: 0 it is approved, or the approval is taken back; 1 it is not, and the text says why; 2 the call was wrong.
`,
  options: { ...SERVER_OPTIONS, undo: { type: 'boolean' }, json: { type: 'boolean' } },
  words: 1,
  async run(given) {
    const { runApprove } = await import('./run-approve.ts')
    const { is, json, server } = readGiven(given)
    return runApprove({
      server,
      deployment: given.positionals[0],
      undo: is('undo'),
      json,
    })
  },
}
