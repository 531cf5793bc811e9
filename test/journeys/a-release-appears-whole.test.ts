import { mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { openBuilds } from '../support/builds.ts'
import { ferryman } from '../support/cli.ts'
import { serve } from '../support/journey.ts'

const PASSWORD = 'hunter2-of-the-builds'

test('a release is unpacked, built and switched to at once; the last good ones are kept, what is shared stays, and one is gone back to', async () => {
  const { address, asked } = await openBuilds(PASSWORD)
  const world = await serve({
    repositories: {},
    environment: { BUILDS_PASSWORD: PASSWORD },
    prepare({ directory, writeConfig }) {
      mkdirSync(join(directory, 'srv/shared'), { recursive: true })
      writeFileSync(join(directory, 'srv/shared/.env'), 'KEY=1 ')
      writeConfig({
        repositories: {
          'acme/shop': {
            source: address.replace('http://', 'http://robot:${BUILDS_PASSWORD}@'),
            releases: { path: 'srv', keep: 2, shared: ['.env', 'storage/'] },
            commands: [['bin/build']],
            hooks: { verify: [['sh', '-c', 'grep -q KEY "$CURRENT_CONFIG/built"']] },
          },
        },
      })
    },
  })
  const path = join(world.directory, 'srv')
  const current = (name: string): string => join(path, 'current', name)

  await world.status(await world.deploy(), 'success')
  writeFileSync(current('storage/kept'), 'by the first')
  await world.status(await world.deploy(), 'success')
  await world.status(await world.deploy(), 'success')

  expect(readFileSync(current('built'), 'utf8')).toBe(`KEY=1 /shop-${world.sha.slice(0, 7)}.zip`)
  expect(readFileSync(current('storage/kept'), 'utf8')).toBe('by the first')
  expect(readlinkSync(join(path, 'current'))).toBe('releases/3')
  expect(readdirSync(join(path, 'releases')).filter((name) => !name.startsWith('.'))).toEqual(['2', '3'])
  const log = await world.log(3)
  expect(log).toContain('.zip as release 3')
  expect(log).toContain('version "version 3"')
  expect(log).toContain('Removed release 1; 2 good ones are kept.')

  await world.github.push('acme/shop', [{ message: 'Breaks the shop' }])
  await world.status(await world.deploy(), 'success')
  expect(readlinkSync(join(path, 'current'))).toBe('releases/4')
  const back = await ferryman(['rollback', 'acme/shop', '--reason', 'down', '--wait', '-c', world.configFile])
  expect(back).toMatchObject({ code: 0, err: '' })
  expect(readlinkSync(join(path, 'current'))).toBe('releases/3')
  expect(asked).toHaveLength(4)
  expect([log, ...world.journal, JSON.stringify(world.slack.messages)].join('\n')).not.toContain(PASSWORD)
})
