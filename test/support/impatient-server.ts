import { runServer } from '../../src/commands/run-server.ts'

/** The server, which gives what runs a second to end by itself: `FERRYMAN_CONFIG=… node impatient-server.ts`. */
process.exitCode = await runServer({ config: undefined, json: true, overrides: {}, graceMs: 1_000 })
