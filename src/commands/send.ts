import type { Command } from '../cli.ts'
import { readGiven } from './given.ts'

/** `ferryman send`: what GitHub would send, from here. */
export const send: Command = {
  summary: 'sign a sample delivery, send it to a running server and print the verdict',
  usage: `Usage: ferryman send deployment|merge|push|ping [options]

Signs a sample delivery with the secret of the configuration, sends it and prints the verdict. GitHub knows
nothing of the sample, so its statuses are not taken there (404); everything else is real.

  -c, --config FILE      the configuration with the secret, the port and the repositories
      --url URL          where to send it; else /webhooks/github of the configured server
      --repository NAME  owner/name; else the first one of the configuration
      --environment NAME else production
      --sha SHA          the full commit id; else the HEAD of the configured folder
      --ref REF          the branch, or what a deployment is asked for; else main
      --task TASK        else deploy
      --payload JSON     else {}
      --by LOGIN         who asks; else your login on this machine
      --public           as if the repository were public

Exit codes: 0 the server took it (queued, deciding, ignored or repeated); 1 it refused it or did not answer; 2 the call was wrong.
`,
  options: {
    config: { type: 'string', short: 'c' },
    url: { type: 'string' },
    repository: { type: 'string' },
    environment: { type: 'string' },
    sha: { type: 'string' },
    ref: { type: 'string' },
    task: { type: 'string' },
    payload: { type: 'string' },
    by: { type: 'string' },
    public: { type: 'boolean' },
  },
  words: 1,
  async run(given) {
    const { runSend } = await import('./run-send.ts')
    const { is, text } = readGiven(given)
    return runSend({
      event: given.positionals[0],
      config: text('config'),
      url: text('url'),
      repository: text('repository'),
      environment: text('environment') ?? 'production',
      sha: text('sha'),
      ref: text('ref') ?? 'main',
      task: text('task') ?? 'deploy',
      payload: text('payload') ?? '{}',
      by: text('by'),
      isPublic: is('public'),
    })
  },
}
