import { readFileSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import { expect, test } from 'vitest'

import { askForJson } from '../../src/commands/client.ts'
import { PATIENCE } from '../../src/run/ending.ts'
import { createChance, type Chance } from '../../torture/chance.ts'
import { serve, type Served } from '../support/journey.ts'
import { command, isRunning } from '../support/running.ts'

/** `CANCELS=200 CANCEL_SEED=7 vitest run …` for more of it. */
const { CANCELS = '10', CANCEL_SEED = '1' } = process.env
const KINDS = ['ignores', 'holds', 'escapes', 'bears', 'flees'] as const

const textOf = (world: Served, name: string): string => {
  try {
    return readFileSync(join(world.folder, name), 'utf8')
  } catch {
    return ''
  }
}

const cancel = (world: Served, id: number) =>
  askForJson(
    { config: world.configFile, dataDir: undefined },
    { method: 'POST', path: `/api/deployments/${id}/cancel`, body: { reason: 'by chance' } },
  )

/** Cancels two deployments at moments that chance chooses: one after the other, or in any order. */
async function cancelBoth(world: Served, first: number, chance: Chance): Promise<void> {
  const cancelLater = async (id: number, most: number): Promise<void> => {
    await pause(chance.integer(0, most))
    await cancel(world, id)
  }
  if (chance.happens(0.3)) await Promise.all([cancelLater(first + 1, 400), cancelLater(first, 400)])
  else await cancelLater(first, 400).then(() => cancelLater(first + 1, 1_000))
}

/** What the server says of its end. GitHub hears of it later: it takes no more than 80 statuses a minute. */
async function endOf(world: Served, id: number): Promise<unknown> {
  const line = await world.waitForJournal(
    (one) => one.includes('"deployment:ended"') && one.includes(`"id":${id},`),
  )
  return Reflect.get(JSON.parse(line) as object, 'detail')
}

const livingOf = (world: Served, number: number): number[] =>
  textOf(world, `pids-${number}`)
    .split('\n')
    .map(Number)
    .filter((pid) => pid > 0 && isRunning(pid))

const NAME = `whatever is started and however it resists, at ${CANCELS} moments that chance chose`
test(NAME, { timeout: Number(CANCELS) * 10_000 }, async () => {
  const world = await serve({
    commands: [['sh', '-c', `exec ${command('defies.sh')} $(cat kinds-$FERRYMAN_NUMBER)`]],
    patience: { ...PATIENCE, intMs: 100, termMs: 150 },
  })
  const chance = createChance(CANCEL_SEED)
  const kinds = (): string => KINDS.filter(() => chance.happens(0.5)).join(' ')
  const said = new Set<unknown>()

  for (let first = 1; first < Number(CANCELS); first += 2) {
    const both = [first, first + 1]
    for (const number of both) writeFileSync(join(world.folder, `kinds-${number}`), kinds())
    for (const _ of both) await world.deploy()
    await cancelBoth(world, first, chance)

    for (const number of both) {
      said.add(await endOf(world, number))
      expect([number, textOf(world, `kinds-${number}`), livingOf(world, number)]).toEqual([
        number,
        expect.any(String),
        [],
      ])
    }
  }

  expect([...said]).toEqual([`Cancelled by ${userInfo().username}: by chance`])
  expect(textOf(world, 'overlaps')).toBe('')
})
