import { readFileSync, readlinkSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { gitSource } from '../support/git-source.ts'
import { serve } from '../support/journey.ts'
import { listen } from '../support/loopback.ts'

test('a failed health check brings the old release back, and says so where it does not help', async () => {
  const source = gitSource()
  const [first, broken, third] = ['well', 'broken', 'fatal'].map((text) => source.commit({ state: text }))
  const world = await serve({
    repositories: {},
    async prepare({ directory, writeConfig, github }) {
      github.addCommits(
        'acme/shop',
        [first, broken, third].map((sha = '') => ({ sha, message: 'A change' })),
      )
      // The application: well as long as its current release is, and never again after a fatal one.
      let isDead = false
      const application = createServer((_, response) => {
        const state = readFileSync(join(directory, 'srv/current/state'), 'utf8')
        isDead ||= state === 'fatal'
        response.writeHead(isDead || state !== 'well' ? 500 : 200).end()
      })
      const port = await listen(application)
      writeConfig({
        repositories: {
          'acme/shop': {
            workspace: { url: source.folder },
            releases: { path: 'srv' },
            hooks: { verify: [['sh', '-c', 'echo "$FERRYMAN_SHA $FERRYMAN_ROLLBACK" >> ../../restarts']] },
            health_check: { url: `http://127.0.0.1:${port}/`, tries: 2, interval: 1 },
          },
        },
      })
    },
  })
  const current = (): string => readlinkSync(join(world.directory, 'srv/current'))

  const good = await world.deploy({ ref: first })
  await world.status(good, 'success')
  const bad = await world.deploy({ ref: broken })
  await world.status(bad, 'failure')
  expect(current()).toBe('releases/1')
  const worse = await world.deploy({ ref: third })
  await world.status(worse, 'failure')

  expect(world.statuses(bad).at(-1)).toMatch(/^failure: .*; rolled back to release 1$/)
  expect(world.statuses(worse).at(-1)).toMatch(
    /^failure: .*; the application may be unstable: rolling back to release 1/,
  )
  expect(current()).toBe('releases/1')
  expect(readFileSync(join(world.directory, 'srv/restarts'), 'utf8').split('\n')).toEqual([
    `${first} `,
    `${broken} `,
    expect.stringMatching(/ 1$/),
    `${third} `,
    expect.stringMatching(/ 1$/),
    '',
  ])
  expect(await world.log(2)).toContain('Rolled back to release 1.')
})
