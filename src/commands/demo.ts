import type { Command } from '../cli.ts'

/** `ferryman demo`: the whole journey, on this machine. */
export const demo: Command = {
  summary: 'watch the whole journey on this machine, without any account',
  usage: `Usage: ferryman demo [--once]

Starts the real server with a real git repository and a real working folder; GitHub and Slack are played on
this machine. One deployment succeeds, one fails, one goes to several machines where Ansible is installed, and
you see every word that is written. Then it stays up for you to try things; Ctrl-C ends it and removes what it made.

      --once  end when all deployments have ended

Exit codes: 0 everything happened as it should; 1 something did not; 2 the call was wrong.
`,
  options: { once: { type: 'boolean' } },
  words: 0,
  async run({ values }) {
    const { runDemo } = await import('../demo/demo.ts')
    return runDemo({ once: values['once'] === true })
  },
}
