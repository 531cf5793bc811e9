import type { Command } from '../cli.ts'

/** `ferryman check`: everything that is wrong, before it matters. */
export const check: Command = {
  summary: 'say what is wrong with the configuration, and what the server would miss',
  usage: `Usage: ferryman check [--config FILE] [--offline]

Reads the configuration and names everything that is wrong with it at once, with line and column. Then looks at
what the server will need: the data directory, the database, folders, programs, playbooks (ansible-playbook --syntax-check
--list-hosts; an inventory that is a program is run), git's ownership rule, git and
where fresh checkouts are fetched from, the token, Slack.
Nothing is deployed, written or posted.

  -c, --config FILE  the configuration; else FERRYMAN_CONFIG, ./config.yml, /etc/ferryman/config.yml
      --offline      ask nobody else: neither GitHub, nor Slack, nor where checkouts are fetched from

Exit codes: 0 all is well (warnings included); 1 something is wrong; 2 the call was wrong.
`,
  options: { config: { type: 'string', short: 'c' }, offline: { type: 'boolean' } },
  words: 0,
  async run({ values }) {
    const { runCheck } = await import('./run-check.ts')
    return runCheck({
      config: typeof values['config'] === 'string' ? values['config'] : undefined,
      offline: values['offline'] === true,
    })
  },
}
