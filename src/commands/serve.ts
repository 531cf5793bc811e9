import type { Command } from '../cli.ts'
import { readGiven } from './given.ts'

/** systemd gives 90 s by default; what runs gets a third of it. */
const GRACE_MS = 30_000

/** `ferryman serve`: the server, until a signal ends it. */
export const serve: Command = {
  summary: 'run the server',
  usage: `Usage: ferryman serve [--config FILE]

Runs the server in the foreground and writes one line per event to its standard output.

  -c, --config FILE  the configuration; else FERRYMAN_CONFIG, ./config.yml, /etc/ferryman/config.yml
      --host HOST    instead of server.host          (FERRYMAN_HOST)
      --port PORT    instead of server.port          (FERRYMAN_PORT, PORT)
      --public-url URL    instead of server.public_url    (FERRYMAN_PUBLIC_URL)
      --data-dir FOLDER   instead of data_dir             (FERRYMAN_DATA_DIR)
      --json         log as JSON also on a terminal

A flag wins over the variable behind it, which wins over the file.

Signals: TERM and INT (Ctrl-C) let what runs end within 30 s, then interrupt it and say so; a second one
interrupts at once. HUP reads the configuration again, as does every change of the file.

Exit codes: 0 stopped by a signal; 1 it could not start; 2 the call was wrong.
`,
  options: {
    config: { type: 'string', short: 'c' },
    host: { type: 'string' },
    port: { type: 'string' },
    'public-url': { type: 'string' },
    'data-dir': { type: 'string' },
    json: { type: 'boolean' },
  },
  words: 0,
  async run(given) {
    process.on('SIGHUP', () => {}) // one that comes before there is anything to reload
    const { runServer } = await import('./run-server.ts')
    const { json, text } = readGiven(given)
    return runServer({
      config: text('config'),
      json,
      graceMs: GRACE_MS,
      overrides: {
        host: text('host'),
        port: text('port'),
        publicUrl: text('public-url'),
        dataDir: text('data-dir'),
      },
    })
  },
}
