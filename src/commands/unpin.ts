import type { Command } from '../cli.ts'
import { SERVER_OPTIONS, SERVER_OPTIONS_HELP } from './client.ts'

/** `ferryman unpin`: the end of a rollback. */
export const unpin: Command = {
  summary: 'let merges and pushes deploy by themselves again after a rollback',
  usage: `Usage: ferryman unpin REPOSITORY [ENVIRONMENT] [options]

What waits there goes by itself, the newest first. Without ENVIRONMENT it is production, or the only one.

      --json             the pin as JSON, for programs
${SERVER_OPTIONS_HELP}

Exit codes: 0 it is not pinned any more; 1 it was not, and the text says so; 2 the call was wrong.
`,
  options: { ...SERVER_OPTIONS, json: { type: 'boolean' } },
  words: 2,
  async run({ values, positionals }) {
    const { runUnpin } = await import('./run-unpin.ts')
    const text = (name: string) => (typeof values[name] === 'string' ? values[name] : undefined)
    return runUnpin({
      server: { config: text('config'), dataDir: text('data-dir') },
      repository: positionals[0],
      environment: positionals[1],
      json: values['json'] === true,
    })
  },
}
