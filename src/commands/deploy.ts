import type { Command } from '../cli.ts'
import { SERVER_OPTIONS, SERVER_OPTIONS_HELP } from './client.ts'
import { readGiven } from './given.ts'

/** `ferryman deploy`: ask for a deployment. */
export const deploy: Command = {
  summary: 'deploy a branch, a tag or a commit, and wait for its end',
  usage: `Usage: ferryman deploy REPOSITORY [ENVIRONMENT] [REF] [options]

REPOSITORY is owner/name. ENVIRONMENT is production where there is one, else the only one. REF is a branch, a tag, a
commit (at least 7 digits of its id), '#12' (what that deployment put in place), :current (what the last success put in place) or :previous (the last other
commit that is not marked bad); without it the branch of the environment. What it means is looked up once, when you
ask. Then it waits for its checks, its gates and its turn like every other, and GitHub and Slack hear of it.

      --task NAME        another task than deploy: what the configuration has below tasks or in tasks_folder
      --reason TEXT      why, for everybody to read
      --force            past checks, locks, windows and earlier environments; needs --reason
      --wait             say what becomes of it until it has ended; ^C ends the waiting, and nothing else
      --key TEXT         with the same key the same wish is granted once, however often it is sent; then it says how that stands
      --json             the answer as JSON, for programs; with --wait that at the end
${SERVER_OPTIONS_HELP}

Exit codes: 0 it is asked for; with --wait, it has succeeded; 1 it is not, or did not, and the text says why (what a --key
stands for may have failed long ago); 2 the call was wrong.
`,
  options: {
    ...SERVER_OPTIONS,
    task: { type: 'string' },
    reason: { type: 'string' },
    force: { type: 'boolean' },
    wait: { type: 'boolean' },
    key: { type: 'string' },
    json: { type: 'boolean' },
  },
  words: 3,
  async run(given) {
    const { runDeploy } = await import('./run-deploy.ts')
    const { is, json, server, text } = readGiven(given)
    return runDeploy({
      server,
      words: given.positionals,
      task: text('task'),
      pin: false,
      reason: text('reason'),
      force: is('force'),
      wait: is('wait'),
      key: text('key'),
      json,
    })
  },
}
