import type { Command } from '../cli.ts'

/** `ferryman serve`: the server, until a signal ends it. */
export const serve: Command = {
  summary: 'run the server',
  usage: `Usage: ferryman serve [--config FILE]

Runs the server in the foreground and writes one line per event to its standard output.

  -c, --config FILE  the configuration; else FERRYMAN_CONFIG, ./config.yml, /etc/ferryman/config.yml
      --json         log as JSON also on a terminal

Signals: TERM and INT (Ctrl-C) let what runs end within 30 s, then interrupt it and say so; a second one
interrupts at once. HUP reads the configuration again, as does every change of the file.

Exit codes: 0 stopped by a signal; 1 it could not start; 2 the call was wrong.
`,
  options: { config: { type: 'string', short: 'c' }, json: { type: 'boolean' } },
  async run({ values }) {
    const { runServer } = await import('./run-server.ts')
    return runServer({
      config: typeof values['config'] === 'string' ? values['config'] : undefined,
      json: values['json'] === true,
    })
  },
}
