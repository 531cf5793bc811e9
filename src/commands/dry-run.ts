import type { Command } from '../cli.ts'
import { SERVER_OPTIONS, SERVER_OPTIONS_HELP } from './client.ts'
import { readGiven } from './given.ts'

/** `ferryman dry-run`: what would a playbook change? */
export const dryRun: Command = {
  summary: 'let Ansible say what a deployment would change, and change nothing',
  usage: `Usage: ferryman dry-run REPOSITORY [ENVIRONMENT] [REF] [options]

Runs the playbook with --check --diff, and otherwise as the deployment would: of the same commit, in the same folder, with the
same inventory, variables, vault, requirements and limits. Shows what Ansible says, secrets masked. It is no deployment: no
number, no status, no log, no hooks, and it waits for nothing and holds nobody up. ^C ends it, and so does a pipe that is
closed. Tasks that Ansible cannot only try (command, shell) are left out; those with \`check_mode: false\` are run.

      --task NAME        another task than deploy
${SERVER_OPTIONS_HELP}

Exit codes: 0 Ansible says that it would work; 1 it says that it would not, or there is no dry run; 2 the call was wrong.
`,
  options: { ...SERVER_OPTIONS, task: { type: 'string' } },
  words: 3,
  async run(given) {
    const { runDryRun } = await import('./run-dry-run.ts')
    const { server, text } = readGiven(given)
    return runDryRun({ server, words: given.positionals, task: text('task') })
  },
}
