import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { ferryman } from '../support/cli.ts'
import { serve, type Served } from '../support/journey.ts'
import { eventually } from '../support/running.ts'

const run = ({ configFile }: Served, ...words: string[]) => ferryman([...words, '-c', configFile])
const deployed = ({ folder }: Served): string[] =>
  readFileSync(join(folder, 'deployed'), 'utf8').trim().split('\n')

test(
  'a rollback goes back, holds what comes by itself, and ends when somebody goes on or says so',
  { timeout: 90_000 },
  async () => {
    const world = await serve({
      isPrivate: false, // its token may only write deployments
      commands: [['sh', '-c', 'echo "$1" >> deployed', 'sh', '{sha}']],
      entry: { deploy_on: 'push', branch: 'main' },
    })
    const push = async (message: string): Promise<string> => {
      const { commits } = await world.github.push('acme/shop', [{ message }])
      return commits.at(-1)?.sha ?? ''
    }
    const good = world.sha
    await world.status(await world.deploy(), 'success')
    const bad = await push('breaks the shop')
    await eventually('the bad one is deployed', () => deployed(world).at(-1) === bad)

    const back = await run(world, 'rollback', 'acme/shop', '--reason', 'the shop is down', '--wait')
    expect(back).toMatchObject({ code: 0, err: '' })
    expect(back.out).toContain(`acme/shop/production#3 will deploy ${good.slice(0, 7)} (:previous)`)
    expect(deployed(world)).toEqual([good, bad, good])

    // A newer commit waits, says for what, and so it stays after a restart.
    const newer = await push('mends the shop')
    await world.waitForJournal((line) => line.includes('deployment:held') && line.includes('is pinned to'))
    await world.restart()
    const why = await run(world, 'why', 'acme/shop')
    expect(why.out).toMatch(new RegExp(`pinned to ${good.slice(0, 7)} by .*: the shop is down`))
    // Going back once more does not go forward to what was gone away from.
    const again = await run(world, 'rollback', 'acme/shop')
    expect(again).toMatchObject({ code: 1 })
    expect(again.err).toContain('There is no :previous of acme/shop production.')

    const freed = await run(world, 'unpin', 'acme/shop')
    expect(freed.out).toMatch(/^acme\/shop\/production is not pinned any more/)
    await eventually('what waited is deployed', () => deployed(world).at(-1) === newer)
    expect((await run(world, 'unpin', 'acme/shop')).err).toContain('acme/shop/production is not pinned.')

    const first = await run(world, 'rollback', 'acme/shop', 'production', '--to', '1', '--wait')
    expect(first.code).toBe(0)
    expect(deployed(world).at(-1)).toBe(good)
    const forward = await run(world, 'deploy', 'acme/shop', 'production', 'main', '--wait')
    expect(forward.code).toBe(0)
    expect(deployed(world).at(-1)).toBe(newer)
    const last = await push('goes by itself')
    await eventually('it goes by itself', () => deployed(world).at(-1) === last)
    for (const [words, said] of [
      [['rollback'], 'the repository, such as acme/shop'],
      [['rollback', 'acme/shop', '--to', '99'], 'There is no #99 of acme/shop production.'],
      [['rollback', 'acme/shop', '--to', 'x'], '--to (the number of a deployment'],
    ] as const)
      expect((await run(world, ...words)).err).toContain(said)

    // Nobody has to wait for GitHub to go back.
    world.github.fail({ times: 1_000, with: { status: 503 } })
    const alone = await run(world, 'rollback', 'acme/shop', '--to', '1', '--wait')
    expect(alone).toMatchObject({ code: 0 })
    expect(deployed(world).at(-1)).toBe(good)
  },
)
