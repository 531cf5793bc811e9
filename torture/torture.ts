/* Kills a real server again and again in the midst of work, and looks from the outside whether its promises hold. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'

import { createChance } from './chance.ts'
import { runCycle } from './cycle.ts'
import { createWorld, type World } from './world.ts'

const USAGE = `Usage: npm run torture -- [--cycles N] [--seed SEED] [--program PATH]

  --cycles N      how often to kill it; default 40
  --seed SEED     any text; the same seed makes the same decisions. Default: a new one
  --program PATH  the bin/ferryman to torture; default this one
`
/** So many cycles share a data directory; then a new one begins, so that the first start is tortured as well. */
const CYCLES_PER_WORLD = 8

const { values } = parseArgs({
  options: {
    cycles: { type: 'string', default: '40' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e9)) },
    program: { type: 'string', default: join(import.meta.dirname, '../bin/ferryman') },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
const cycles = Number(values.cycles)
if (values.help) process.stdout.write(USAGE)
else if (!Number.isInteger(cycles) || cycles < 1) {
  process.stderr.write(`--cycles takes a number.\n${USAGE}`)
  process.exitCode = 2
} else process.exitCode = await torture()

async function torture(): Promise<number> {
  const root = mkdtempSync(join(tmpdir(), 'ferryman-torture-'))
  const options = { program: resolve(values.program), cache: join(root, 'cache') }
  const total = { acknowledged: 0, kills: 0 }
  let world: World | undefined
  const from = performance.now()
  for (let cycle = 1; cycle <= cycles; cycle += 1) {
    if ((cycle - 1) % CYCLES_PER_WORLD === 0) {
      await world?.close()
      const folder = join(root, `world-${cycle}`)
      mkdirSync(folder)
      world = await createWorld(folder)
    }
    if (world === undefined) throw new Error('There is no world')
    const { acknowledged, kills, violations } = await runCycle(
      world,
      createChance(`${values.seed}/${cycle}`),
      options,
    )
    total.acknowledged += acknowledged
    total.kills += kills
    if (violations.length > 0) {
      for (const { invariant, what } of violations)
        process.stdout.write(`cycle ${cycle}: NOT TRUE that ${invariant}: ${what}\n`)
      process.stdout.write(
        `torture: ${cycle} cycles, seed ${values.seed}: ${violations.length} violations; see ${world.directory}\n`,
      )
      await world.close()
      return 1
    }
    process.stderr.write(`cycle ${cycle} of ${cycles}: ${Math.round(performance.now() - from)} ms\n`)
  }
  await world?.close()
  rmSync(root, { recursive: true, force: true })
  const { acknowledged, kills } = total
  process.stdout.write(
    `torture: ${cycles} cycles, seed ${values.seed}, ${acknowledged} deliveries acknowledged, ${kills} kills: all invariants held\n`,
  )
  return 0
}
