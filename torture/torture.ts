/* Kills a real server again and again in the midst of work, and looks from the outside whether its promises hold. */
import { join, resolve } from 'node:path'
import { inspect, parseArgs } from 'node:util'

import { createTerminal } from './terminal.ts'
import { missing, torture } from './worlds.ts'

const USAGE = `Usage: npm run torture -- [--cycles N] [--seed SEED] [--from N] [--power-loss] [--program PATH]

  --cycles N      how often to end it; default 40
  --seed SEED     any text; the same seed makes the same decisions. Default: a new one
  --from N        the number of the first cycle; default 1. Each decides by the seed and its number alone
  --power-loss    whenever it has ended, only what was synced is left on the disk (needs gcc);
                  without it so in one of three cycles, where there is gcc
  --program PATH  the bin/ferryman to torture; default this one

Exit code: 0 when every invariant held, 1 when one was broken, 2 when it could not be tried.
`

/** One loss may break everything that follows from it. */
const MOST_TOLD = 20

const { values } = parseArgs({
  options: {
    cycles: { type: 'string', default: '40' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e9)) },
    from: { type: 'string', default: '1' },
    program: { type: 'string', default: join(import.meta.dirname, '../bin/ferryman') },
    'power-loss': { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
const terminal = createTerminal(process.stderr, process.stdout, process.env['NO_COLOR'] !== undefined)
const [cycles, from] = [Number(values.cycles), Number(values.from)]
const isCount = (count: number): boolean => Number.isInteger(count) && count >= 1
if (values.help) process.stdout.write(USAGE)
else if (!isCount(cycles) || !isCount(from)) {
  process.stderr.write(`--${isCount(cycles) ? 'from' : 'cycles'} takes a number, such as 40.\n${USAGE}`)
  process.exitCode = 2
} else if (values['power-loss'] && missing().gcc !== undefined) {
  process.stderr.write('--power-loss needs gcc (apt-get install gcc libc6-dev); nothing was tried.\n')
  process.exitCode = 2
} else process.exit(await run()) // what was interrupted may still wait for something

async function run(): Promise<number> {
  const interrupted = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort())
  const options = {
    cycles,
    from,
    seed: values.seed,
    program: resolve(values.program),
    powerLoss: values['power-loss'],
    signal: interrupted.signal,
  }
  for (const line of Object.values(missing())) terminal.line(`torture: ${line}`)
  const told = await torture(options, terminal).catch((thrown: unknown) => {
    terminal.line(`torture: seed ${values.seed}: ${terminal.red('could not be tried')}`)
    process.stderr.write(`${inspect(thrown)}\n`)
    return undefined
  })
  if (told === undefined) return 2
  const { done, acknowledged, kills, losses, interruptions, violations, broken } = told
  for (const { invariant, what } of violations.slice(0, MOST_TOLD))
    terminal.line(`${terminal.red('broken')}: ${invariant}: ${what}`)
  if (violations.length > MOST_TOLD) terminal.line(`and ${violations.length - MOST_TOLD} more`)
  const facts = [
    `${done} cycles`,
    `seed ${values.seed}`,
    `${acknowledged} deliveries acknowledged`,
    `${kills} kills`,
    `${losses} power losses`,
    `${interruptions} deployments interrupted`,
  ].join(', ')
  const verdict =
    broken !== undefined
      ? terminal.red(
          `${violations.length} times an invariant was broken; everything is kept in ${broken.keptIn}`,
        )
      : interrupted.signal.aborted
        ? 'interrupted'
        : terminal.green('all invariants held')
  terminal.line(`torture: ${facts}: ${verdict}`)
  if (broken !== undefined) terminal.line(`torture: again: ${commandFor(broken)}`)
  return violations.length > 0 ? 1 : interrupted.signal.aborted ? 2 : 0
}

/** The same decisions, from the first of the cycles in that data directory. When it was too late by a moment, it takes some tries. */
function commandFor({
  from: first,
  cycles: count,
}: {
  readonly from: number
  readonly cycles: number
}): string {
  const words = `npm run torture -- --seed ${values.seed} --from ${first} --cycles ${count}`
  return values['power-loss'] ? `${words} --power-loss` : words
}
