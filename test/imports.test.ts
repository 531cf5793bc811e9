import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

test.each(['kysely', 'zod'])('all of %s is ECMAScript, so that its names say what its files are', (name) => {
  const folder = join('node_modules', name)
  const descriptions = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('package.json'))
    .map((file): unknown => JSON.parse(readFileSync(join(folder, file), 'utf8')))

  expect(descriptions).not.toEqual([])
  for (const description of descriptions) expect(description).toHaveProperty('type', 'module')
})

test('the languages of Zod that are left out are where they are looked for', () => {
  const languages = readdirSync('node_modules/zod/v4/locales')

  expect(languages).toContain('index.js')
  expect(languages).toContain('en.js')
})
