import { userInfo } from 'node:os'

import { expect, test } from 'vitest'

import { checkHeroku } from '../../src/commands/check-heroku.ts'
import { lineFor } from '../../src/commands/findings.ts'
import { loadConfig } from '../../src/config/load.ts'
import { GITHUB, written } from '../config/written.ts'
import { API_KEY, herokuForTest } from '../support/heroku.ts'

const { username: name, homedir: home } = userInfo()

test('check says whether Heroku knows the app and takes the key, and pushes nothing', async () => {
  const heroku = await herokuForTest()
  const entry = (app: string, key: string) => ({
    lane: 'shop',
    heroku: { app, api_key: `\${${key}}`, url: heroku.urlOf(app) },
  })
  const repositories = {
    'acme/shop': entry('shop', 'KEY'),
    'acme/blog': entry('blog', 'KEY'),
    'acme/api': entry('shop', 'OTHER'),
  }
  const environment = { ...process.env, KEY: API_KEY, OTHER: 'HRKU-another-key' }
  const config = loadConfig(written(`${GITHUB}repositories: ${JSON.stringify(repositories)}\n`), {
    environment,
  })
  const check = async (offline: boolean): Promise<string[]> => {
    const server = { environment, user: { name, home, shell: '/bin/sh' }, npmFolders: [] }
    const lines: string[] = []
    for await (const finding of checkHeroku(config, { server, offline }))
      lines.push(lineFor(finding, false).trim())
    return lines
  }

  const lines = await check(false)
  const asked = heroku.shown.length
  const offline = await check(true)

  expect(lines[0]).toBe('✔ acme/shop production: Heroku takes the key for shop')
  expect(lines[1]).toMatch(/^✘ acme\/blog production: Heroku has no app blog that this key may see: /)
  expect(lines[2]).toMatch(/^✘ acme\/api production: Heroku does not take the key for shop: /)
  expect(heroku.head()).toBeUndefined()
  expect([offline, heroku.shown.length]).toEqual([[], asked])
})
