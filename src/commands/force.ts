import type { Command } from '../cli.ts'
import { SERVER_OPTIONS, SERVER_OPTIONS_HELP } from './client.ts'
import { readGiven } from './given.ts'

/** `ferryman force`: let a deployment pass what stands in its way. */
export const force: Command = {
  summary: 'let a deployment that is held pass what stands in its way',
  usage: `Usage: ferryman force DEPLOYMENT --reason TEXT [options]

DEPLOYMENT is its name, such as acme/shop/production#12, or its id. It passes checks (but for those that the
configuration names in even_when_forced), locks, windows and earlier environments, and never a missing approval: nobody
can replace a second person. It still waits for its turn. History, GitHub, Slack and the log say who forced it, and why.

      --reason TEXT      why, for everybody to read; required
      --json             the answer as JSON, for programs
${SERVER_OPTIONS_HELP}

Exit codes: 0 it is forced; 1 it is not, since it has begun or ended, or force is forbidden there, or the server does not
answer; 2 the call was wrong.
`,
  options: { ...SERVER_OPTIONS, reason: { type: 'string' }, json: { type: 'boolean' } },
  words: 1,
  async run(given) {
    const { runForce } = await import('./run-force.ts')
    const { json, server, text } = readGiven(given)
    return runForce({
      server,
      deployment: given.positionals[0],
      reason: text('reason'),
      json,
    })
  },
}
