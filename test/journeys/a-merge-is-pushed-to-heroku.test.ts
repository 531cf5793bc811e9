import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { ferryman } from '../support/cli.ts'
import { API_KEY, herokuForTest } from '../support/heroku.ts'
import { openShop } from '../support/merging.ts'
import { eventually, temporaryFolder } from '../support/running.ts'
import { contentOf, seenInProc } from '../support/seen.ts'

test('a merge is pushed to Heroku with a key that nobody sees, and its build is in the log as it comes', async () => {
  const heroku = await herokuForTest()
  const gate = join(temporaryFolder(), 'gate')
  execFileSync('mkfifo', [gate])
  heroku.builds(
    `echo "-----> Node.js app detected, key ${API_KEY}"; read line < ${gate}; echo "-----> Build succeeded!"`,
  )
  const shop = await openShop()
  writeFileSync(join(shop.directory, 'key'), `${API_KEY}\n`, { mode: 0o600 })
  await shop.reconfigure({
    repositories: {
      'acme/shop': {
        workspace: { url: shop.sample.origin },
        heroku: { app: 'shop', api_key: { file: './key' }, url: heroku.urlOf('shop') },
        hooks: { after_success: [['sh', '-c', 'env; git rev-parse HEAD; cat .git/config']] },
      },
    },
  })

  const first = await shop.commit('Faster')
  await shop.merge(first)
  const deployment = await shop.made(first)
  await eventually('the build begins', async () => (await shop.log(1)).includes('Node.js app detected'))
  const during = [seenInProc(shop.directory), contentOf(join(shop.directory, 'data'), 'git-credentials')]
  const head = heroku.head()
  await writeFile(gate, '')
  await shop.status(deployment, 'success')

  expect(head).toBeUndefined()
  expect(heroku.head()).toBe(first)
  const log = await shop.log(1)
  expect(log).toMatch(/ remote: -----> Build succeeded!/)
  expect(log).toMatch(new RegExp(` ${first}\\n`)) // of the hook, in the checkout
  expect(shop.statuses(deployment).at(-1)).toMatch(/^success: Deployed /)
  expect(during[0]).toContain('git\0push')
  expect(heroku.shown).toContain(API_KEY)

  heroku.builds('echo " !     Push rejected, failed to compile Node.js app."; exit 1')
  const second = await shop.commit('Broken')
  await shop.merge(second)
  const broken = await shop.made(second)
  await shop.status(broken, 'failure')
  const again = await shop.deploy({ ref: first })
  await shop.status(again, 'success')

  expect(shop.statuses(broken).at(-1)).toBe(
    `failure: Heroku did not take ${second.slice(0, 7)} for shop: Push rejected, failed to compile Node.js app.`,
  )
  expect(heroku.head()).toBe(first)
  expect(shop.statuses(again).at(-1)).toMatch(
    /^success: Deployed \w{7}.*: Heroku had it already and built nothing, in /,
  )
  const planned = await ferryman(['plan', 'acme/shop', '-c', shop.configFile])
  expect(planned.out).toMatch(/check out \w{7} of acme\/shop\n +work +push \w{7} to Heroku as shop\n/)
  const shown = await ferryman(['show', 'acme/shop/production#3', '-c', shop.configFile])
  expect(shown.out).toMatch(
    /^push \w{7} to Heroku as shop +succeeded: Heroku had it already and built nothing {2,}\d/m,
  )

  const said = [
    planned.out,
    shown.out,
    ...during,
    contentOf(join(shop.directory, 'data'), 'git-credentials'),
    ...shop.journal,
  ]
  const told = shop.slack.messages.map((message) => JSON.stringify(message))
  for (const secret of [API_KEY, Buffer.from(`heroku:${API_KEY}`).toString('base64')])
    expect([...said, ...told].filter((sink) => sink.includes(secret))).toEqual([])
})
