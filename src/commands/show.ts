import type { Command } from '../cli.ts'
import { SERVER_OPTIONS, SERVER_OPTIONS_HELP } from './client.ts'
import { readGiven } from './given.ts'

/** `ferryman show`: what became of a deployment, step by step. */
export const show: Command = {
  summary: 'show a deployment: what, who and when, and each step with its exit code and duration',
  usage: `Usage: ferryman show DEPLOYMENT [options]

DEPLOYMENT is its name, such as acme/shop/production#12, or its id. Shows what was deployed, who wanted it and when, how it
ended and why; then each step with its exit code and how long it took, also those that were left out, and how the hosts of
a playbook fared.

      --json             as JSON, for programs
${SERVER_OPTIONS_HELP}

Exit codes: 0 it worked; 1 it did not, and the text says why; 2 the call was wrong.
`,
  options: { ...SERVER_OPTIONS, json: { type: 'boolean' } },
  words: 1,
  async run(given) {
    const { runShow } = await import('./run-show.ts')
    const { json, server } = readGiven(given)
    return runShow({
      server,
      deployment: given.positionals[0],
      json,
    })
  },
}
