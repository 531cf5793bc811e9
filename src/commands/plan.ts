import type { Command } from '../cli.ts'
import { SERVER_OPTIONS, SERVER_OPTIONS_HELP } from './client.ts'
import { readGiven } from './given.ts'

/** `ferryman plan`: what would be run? */
export const plan: Command = {
  summary: 'show what a deployment would run, where, as whom and with which variables, and run nothing',
  usage: `Usage: ferryman plan REPOSITORY [ENVIRONMENT] [REF] [options]
       ferryman plan --delivery ID [options]

Shows each step with its words filled, the commit, the folder, the user, and the variables that the steps would get,
secrets masked; and what it would wait for now. The words are those of \`ferryman deploy\`: :previous shows what going back
would run. With --delivery it is what GitHub's delivery would lead to with the configuration as it is now; ID is a number
of \`ferryman deliveries\`, or GitHub's GUID. Nothing is recorded, and nothing is run.

      --task NAME        another task than deploy
      --delivery ID      what a delivery would lead to
      --json             as JSON, for programs
${SERVER_OPTIONS_HELP}

Exit codes: 0 it is shown; 1 it is not, or nothing would be run, and the text says why; 2 the call was wrong.
`,
  options: {
    ...SERVER_OPTIONS,
    task: { type: 'string' },
    delivery: { type: 'string' },
    json: { type: 'boolean' },
  },
  words: 3,
  async run(given) {
    const { runPlan } = await import('./run-plan.ts')
    const { json, server, text } = readGiven(given)
    return runPlan({
      server,
      words: given.positionals,
      task: text('task'),
      delivery: text('delivery'),
      json,
    })
  },
}
