import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { openBuilds } from '../support/builds.ts'
import { ferryman } from '../support/cli.ts'
import { serve } from '../support/journey.ts'

test('a 404 of the source changes nothing, and says so everywhere; the next deployment goes on', async () => {
  const builds = await openBuilds()
  const world = await serve({
    repositories: {},
    prepare: ({ writeConfig }) =>
      writeConfig({
        repositories: {
          'acme/shop': {
            source: builds.address,
            releases: { path: 'srv' },
            hooks: { before: [['touch', '../../asked']], after_failure: [['touch', '../../told']] },
          },
        },
      }),
  })
  const path = join(world.directory, 'srv')
  await world.status(await world.deploy(), 'success')

  Object.assign(builds, { status: 404, content: Buffer.from('<html>Not here</html>') })
  const missing = await world.deploy()
  await world.status(missing, 'error')

  const said = /http:\/\/127\.0\.0\.1:\d+\/shop-\w{7}\.zip answered 404 Not Found; nothing was changed\./
  expect(world.statuses(missing).at(-1)).toMatch(said)
  expect(await world.log(2)).toMatch(said)
  const { text = '' } = await world.slack.waitFor(({ text }) => text?.includes('#2') === true)
  expect(`${text}${JSON.stringify(world.slack.messages)}`).toMatch(said)
  const { out } = await ferryman(['why', 'acme/shop', 'production', '-c', world.configFile])
  expect(out).toContain('source_unavailable')
  expect(readlinkSync(join(path, 'current'))).toBe('releases/1')
  expect(readFileSync(join(path, 'current/version'), 'utf8')).toContain('/shop-')
  expect(existsSync(join(path, 'told'))).toBe(false)

  Object.assign(builds, { status: 200, content: undefined })
  await world.status(await world.deploy(), 'success')
  expect(readlinkSync(join(path, 'current'))).toBe('releases/3')
  expect(readdirSync(join(path, 'releases')).filter((name) => !name.startsWith('.'))).toEqual(['1', '3'])
})
