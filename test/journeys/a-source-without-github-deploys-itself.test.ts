import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { ferryman } from '../support/cli.ts'
import { gitSource } from '../support/git-source.ts'
import { serve, type Served } from '../support/journey.ts'

/** How a deployment has ended, by its number. */
async function endOf({ waitForJournal }: Served, number: number): Promise<string> {
  const isIts = (line: string): boolean =>
    line.includes('"deployment:ended"') && line.includes(`"acme/shop/production#${number}"`)
  return (JSON.parse(await waitForJournal(isIts)) as { state: string }).state
}

test('what is new in a git repository is deployed once, without any GitHub', async () => {
  const source = gitSource()
  const first = source.commit({ shop: 'one' })
  const world = await serve({
    config: { github: undefined },
    prepare: ({ directory, writeConfig }) =>
      writeConfig({
        config: { github: undefined },
        entry: {
          via: 'none',
          folder: '.',
          workspace: { url: source.folder },
          commands: [['sh', '-c', `cp shop ${join(directory, 'live')} && grep -v broken shop`]],
        },
      }),
  })
  const live = (): string => readFileSync(join(world.directory, 'live'), 'utf8')
  const cli = (...args: string[]) => ferryman([...args, '-c', world.configFile])

  expect(await endOf(world, 1)).toBe('succeeded')
  expect(live()).toBe('one')

  source.commit({ shop: 'two' })
  world.app.again()
  expect(await endOf(world, 2)).toBe('succeeded')
  expect(live()).toBe('two')

  source.commit({ shop: 'broken' })
  world.app.again()
  expect(await endOf(world, 3)).toBe('failed')
  await world.restart() // asks again, and finds the same

  const back = await cli('deploy', 'acme/shop', 'production', first, '--wait')
  expect(back).toMatchObject({ code: 0 })
  expect(back.out).toContain('acme/shop/production#4')
  expect(live()).toBe('one')

  rmSync(source.folder, { recursive: true })
  world.app.again()
  await world.waitForJournal((line) => line.includes('"source:unavailable"'))
  const why = await cli('why', 'acme/shop')
  expect(why.out).toContain(`Its source does not tell: ${source.folder} does not answer`)
  expect(why.out).toContain('whatever is new in its source, asked every 60 s')

  expect(world.journal.join('')).not.toContain('acme/shop/production#5')
  expect(world.github.requests).toEqual([])
  expect(JSON.stringify(world.slack.messages)).toContain('by a poll')
  expect(JSON.stringify(world.slack.messages)).not.toContain('/commit/')
})
