import type { Command } from '../cli.ts'
import { SERVER_OPTIONS, SERVER_OPTIONS_HELP } from './client.ts'
import { readGiven } from './given.ts'

/** `ferryman unlock`: free a lock. */
export const unlock: Command = {
  summary: 'free a lock: what it held goes on by itself',
  usage: `Usage: ferryman unlock REPOSITORY [ENVIRONMENT] [options]
       ferryman unlock --everything [options]
       ferryman unlock --lock ID [options]

Frees the lock that is there, whoever took it. A program that took a lock frees it by its id: should that lock have
ended and somebody else hold a newer one, nothing is freed.

      --lock ID          this very lock and no other
      --everything       the lock on everything
      --json             the lock as JSON, for programs
${SERVER_OPTIONS_HELP}

Exit codes: 0 it is freed; 1 it is not, and the text says why; 2 the call was wrong.
`,
  options: {
    ...SERVER_OPTIONS,
    lock: { type: 'string' },
    everything: { type: 'boolean' },
    json: { type: 'boolean' },
  },
  words: 2,
  async run(given) {
    const { runUnlock } = await import('./run-locks.ts')
    const { is, json, server, text } = readGiven(given)
    return runUnlock({
      server,
      repository: given.positionals[0],
      environment: given.positionals[1],
      isEverything: is('everything'),
      lock: text('lock'),
      json,
    })
  },
}
