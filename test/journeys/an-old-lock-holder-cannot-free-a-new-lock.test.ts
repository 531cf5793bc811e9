import { expect, test } from 'vitest'

import { ferryman } from '../support/cli.ts'
import { serve, type Served } from '../support/journey.ts'

const run = (world: Served, ...words: string[]) => ferryman([...words, '-c', world.configFile])
const lock = async (world: Served, reason: string): Promise<string> => {
  const { out } = await run(world, 'lock', 'acme/shop', 'production', '--reason', reason, '--json')
  return String((JSON.parse(out) as { id: number }).id)
}

test('whoever took a lock that has ended since cannot free the one that came after it', async () => {
  const world = await serve()
  const old = await lock(world, 'the nightly job')
  await run(world, 'unlock', 'acme/shop', 'production')
  const newer = await lock(world, 'an incident')

  const byNumber = await run(world, 'unlock', '--lock', old)
  const byBoth = await run(world, 'unlock', 'acme/shop', 'production', '--lock', old)

  expect(byNumber).toMatchObject({
    code: 1,
    err: expect.stringContaining(`There is no lock ${old}.`) as string,
  })
  expect(byBoth).toMatchObject({
    code: 1,
    err: expect.stringContaining(
      `Lock ${old} is gone, and this is another one: acme/shop/production is locked by`,
    ) as string,
  })
  expect((await run(world, 'locks')).out).toContain('an incident')
  expect(await run(world, 'unlock', '--lock', newer)).toMatchObject({ code: 0 })
})

test('of many who take a lock at the same moment one holds it, and the others are told who', async () => {
  const world = await serve()

  const tried = await Promise.all(
    ['one', 'two', 'three', 'four'].map((reason) =>
      run(world, 'lock', 'acme/shop', 'production', '--reason', reason),
    ),
  )

  const [holder, ...others] = tried.toSorted((one, other) => (one.code ?? 9) - (other.code ?? 9))
  expect(holder).toMatchObject({ code: 0 })
  const says = holder?.out.split('\n')[0] ?? ''
  for (const other of others)
    expect(other).toMatchObject({
      code: 1,
      err: expect.stringContaining(`There is a lock already: ${says}`) as string,
    })
})
