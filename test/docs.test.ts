import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { describe, expect, test } from 'vitest'

import { loadConfig } from '../src/config/load.ts'
import { CANCELLED, FAILED, HELD, IGNORED } from '../src/deployment/reasons.ts'
import { PROBLEMS } from '../src/errors.ts'
import { temporaryFolder } from './support/running.ts'

const read = (path: string): string => readFileSync(path, 'utf8')

describe('docs/errors.md', () => {
  const rows = [...read('docs/errors.md').matchAll(/^\| `(\w+)` \| (\d+) \| (.*) \| (.*) \|$/gm)]

  test('has every code with its words, and no other', () => {
    const documented = rows.map(([, code, status, message, hint]) => [code, Number(status), message, hint])

    expect(documented).toEqual(
      Object.entries(PROBLEMS).map(([code, { status, message, hint }]) => [
        code,
        status,
        message.replaceAll('\n', ' ').replaceAll('|', '\\|'),
        hint.replaceAll('|', '\\|'),
      ]),
    )
  })
})

describe('the README', () => {
  const readme = read('README.md')

  test.each(Object.keys(IGNORED))('explains why a delivery leads to nothing: %s', (reason) => {
    expect(readme).toContain(`\`${reason}\``)
  })

  test.each(Object.keys(FAILED))('names the reason of a failure: %s', (reason) => {
    expect(readme).toContain(`\`${reason}\``)
  })

  test.each(Object.keys(CANCELLED))('names the reason of taking back: %s', (reason) => {
    expect(readme).toContain(`\`${reason}\``)
  })

  test('begins with the two commands that need nothing else', () => {
    expect(readme.indexOf('npm ci && npm run demo')).toBeGreaterThan(0)
    expect(readme.indexOf('npm ci && npm run demo')).toBeLessThan(2_000)
    expect(readme.indexOf('npm ci && npm test')).toBeLessThan(2_000)
  })
})

describe('the page about gates', () => {
  test('explains every reason of a hold, and no other', () => {
    const rows = [...read('docs/gates.md').matchAll(/^\| `(\w+)` \|/gm)].map(([, reason]) => reason)

    expect(new Set(rows)).toEqual(new Set(Object.keys(HELD)))
    expect(rows).toHaveLength(Object.keys(HELD).length)
  })
})

describe('the page for those who come from config.py', () => {
  const page = read('docs/migrating-from-deployments.md')

  test.each([
    'DEBUG',
    'SECRET',
    'TOKEN',
    'SLACK_WEBHOOK',
    'REPOS',
    'folder',
    'commands',
    'required_contexts',
    'ansible_hosts',
    'ansible_playbook',
  ])('has a row for %s', (key) => {
    expect(page).toMatch(new RegExp(`^\\| \`${key}\`\\s+\\|`, 'm'))
  })

  test('shows a configuration that is valid as it stands', () => {
    const [, yaml = ''] = /```yaml\n(github:[\s\S]*?)```/.exec(page) ?? []
    const file = join(temporaryFolder(), 'config.yml')
    writeFileSync(file, yaml)
    const environment = Object.fromEntries(
      [...yaml.matchAll(/\$\{(\w+)\}/g)].map(([, name = '']) => [name, `https://example.org/${name}`]),
    )

    const { repositories } = loadConfig(file, { environment })

    expect([...repositories.values()].map(({ name }) => name)).toEqual(['user/repo', 'user/infrastructure'])
  })
})

describe('links', () => {
  test.each([
    'README.md',
    'src/README.md',
    'CHANGELOG.md',
    'docs/errors.md',
    'docs/operating.md',
    'docs/migrating-from-deployments.md',
  ])('in %s lead somewhere', (page) => {
    const targets = [...read(page).matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, target = '']) => target)

    for (const target of targets)
      expect({ target, there: existsSync(join(dirname(page), target)) }).toEqual({ target, there: true })
  })
})

/** As GitHub makes them of headings. */
const anchorsIn = (page: string): readonly string[] =>
  [...page.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  )

test.each(['README.md', 'docs/operating.md'])('links in %s into a page lead to a heading', (page) => {
  const links = [...read(page).matchAll(/\]\((?!https?:)([^)#]*)#([^)]+)\)/g)]

  expect(links.length).toBeGreaterThan(2)
  for (const [, target = '', anchor] of links)
    expect(anchorsIn(read(target === '' ? page : join(dirname(page), target)))).toContain(anchor)
})

test('the map names every folder and file of src that it shows', () => {
  const map = read('src/README.md')
  const shown = [...map.matchAll(/^(\w[\w-]*(?:\/|\.ts))\s/gm)].map(([, name = '']) => name)

  expect(shown.length).toBeGreaterThan(10)
  for (const name of shown)
    expect({ name, there: existsSync(join('src', name)) }).toEqual({ name, there: true })
})

test('every script in package.json that the README names exists', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  const named = [...read('README.md').matchAll(/npm run (\w+)/g)].map(([, name = '']) => name)

  expect(named.length).toBeGreaterThan(2)
  for (const name of named) expect(Object.keys(scripts)).toContain(name)
})
