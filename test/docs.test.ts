import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import { describe, expect, inject, test } from 'vitest'

import { loadConfig } from '../src/config/load.ts'
import { readRepositoryFile } from '../src/config/repository-file.ts'
import { keysAt } from '../src/config/schema.ts'
import { CANCELLED, FAILED, HELD, IGNORED } from '../src/deployment/reasons.ts'
import { PROBLEMS } from '../src/errors.ts'
import { AROUND_TASKS } from '../src/run/steps.ts'
import { openStore } from '../src/store/sql-store.ts'
import { temporaryFolder } from './support/running.ts'
import { recipe } from './support/samples.ts'

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

  test('begins with the two commands that need nothing else', () => {
    expect(readme.indexOf('npm ci && npm run demo')).toBeGreaterThan(0)
    expect(readme.indexOf('npm ci && npm run demo')).toBeLessThan(2_000)
    expect(readme.indexOf('npm ci && npm test')).toBeLessThan(2_000)
  })
})

describe('docs/reasons.md', () => {
  const sections = new Map(
    read('docs/reasons.md')
      .split(/^## /m)
      .map((section) => {
        const rows = [...section.matchAll(/^\| `(\w+)` \| (.*) \|$/gm)]
        const cells = rows.map(([, code = '', rest = '']) => [code, ...rest.split(' | ')])
        return [section.split('\n')[0], cells] as const
      }),
  )
  const table = (title: string) => sections.get(title) ?? []

  test('has every reason for doing nothing with its words, and no other', () => {
    expect(table('Why a delivery leads to nothing')).toEqual(Object.entries(IGNORED))
  })

  test('has every reason to wait with its words, and no other', () => {
    const rows = table('Why a deployment waits')

    expect(rows.map(([code, words]) => [code, words])).toEqual(Object.entries(HELD))
    for (const [, , end] of rows) expect(end).not.toBe('')
  })

  test('has every reason of a failure with what GitHub hears, and no other', () => {
    const heard = { ran: '`failure`', could_not_run: '`error`' } as const
    const rows = table('Why a deployment failed')

    expect(rows.map(([code, onGitHub]) => [code, onGitHub])).toEqual(
      Object.entries(FAILED).map(([code, how]) => [code, heard[how]]),
    )
    for (const [, , words] of rows) expect(words).not.toBe('')
  })

  test('has every reason of taking back with what GitHub hears and its words, and no other', () => {
    expect(table('Why a deployment was taken back')).toEqual(
      Object.entries(CANCELLED).map(([code, words]) => [
        code,
        code === 'by_person' ? '`error`' : '`inactive`',
        words,
      ]),
    )
  })
})

/** Words of others, and of files and messages, that the pages name as they are. */
const OTHER_WORDS = [
  'pre_hooks',
  'post_hooks',
  ...AROUND_TASKS,
  'auto_merge',
  'deploy_user',
  'idle_in_transaction_session_timeout',
  'in_progress',
  'known_hosts',
  'log_url',
  'repo_deployment',
]
const PLACEHOLDERS_IN_PLAYBOOKS = ['short_sha', 'previous_sha']

test.each([
  'README.md',
  'docs/ansible.md',
  'docs/gates.md',
  'docs/operating.md',
  'docs/reasons.md',
  'docs/recipes.md',
  'docs/migrating-from-deployments.md',
  'docs/migrating-from-github-deploy-agent.md',
  'docs/migrating-from-repo-deploy.md',
])('every code and key that %s names exists', (page) => {
  const keys = [...read('config.schema.json').matchAll(/"(\w+)":/g)].map(([, key = '']) => key)
  const known = new Set([
    ...[IGNORED, HELD, FAILED, CANCELLED, PROBLEMS].flatMap((all) => Object.keys(all)),
    ...keys,
    ...OTHER_WORDS,
    ...PLACEHOLDERS_IN_PLAYBOOKS,
  ])
  const named = [...read(page).matchAll(/`([a-z]+(?:_[a-z]+)+)`/g)].map(([, word = '']) => word)

  expect(named.filter((word) => !known.has(word))).toEqual([])
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

describe.each([
  'docs/recipes.md',
  'docs/migrating-from-github-deploy-agent.md',
  'docs/migrating-from-repo-deploy.md',
])('the examples in %s', (page) => {
  const examples = [...read(page).matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, yaml = '']) => yaml)

  test.each(examples.map((yaml) => [yaml]))('are valid:\n%s', (yaml) => {
    const file = join(temporaryFolder(), 'config.yml')
    const own = yaml.includes('github:') ? '' : 'github: {webhook_secret: a-webhook-secret, token: ghp_xyz}\n'
    writeFileSync(file, `${own}${yaml}`, { mode: 0o600 })
    const names = [...yaml.matchAll(/\$\{(\w+)\}/g)].map(([, name = '']) => [name, `value-of-${name}`])

    const { repositories, warnings } = loadConfig(file, {
      environment: Object.fromEntries(names) as Record<string, string>,
    })

    expect(repositories.size).toBeGreaterThan(0)
    expect(warnings).toEqual([])
  })
})

test('the file of a repository in docs/recipes.md says what it is allowed to say', () => {
  const [, text = ''] = /```yaml in the repository\n([\s\S]*?)```/.exec(read('docs/recipes.md')) ?? []
  const allow = ['commands', 'env', 'timeout', 'hooks'] as const
  const reading = readRepositoryFile(recipe({ env: {} }), {
    file: '.ferryman.yml',
    allow,
    text,
    environment: 'production',
    task: 'deploy',
  })

  expect(reading).toMatchObject({ recipe: { timeoutSeconds: 600, commands: { length: 3 } } })
})

describe('the page for those who come from github-deploy-agent', () => {
  const page = read('docs/migrating-from-github-deploy-agent.md')

  test.each(['--token', '--repository', '--env', '--sleep', '--tasks.path', '--branch', '--no-wait'])(
    'has a row for %s',
    (flag) => {
      expect(page).toMatch(new RegExp(`^\\| \`${flag}\``, 'm'))
    },
  )
})

describe('the page for those who come from repo-deploy', () => {
  const page = read('docs/migrating-from-repo-deploy.md')
  const flags = ['--help', '--config', '--cache', '--pre-hooks', '--post-hooks', '--remote', '--local']
  const keys = [
    'remote',
    'local',
    'cache',
    'schedule',
    'pre_hooks',
    'post_hooks',
    'aws-access-key',
    'aws-secret-key',
  ]

  test.each([...flags, '--fetch', '--verbose', ...keys])('has a row for %s', (word) => {
    expect(page).toMatch(new RegExp(`^\\|[^|]*\`${word}\\b`, 'm'))
  })
})

describe('the page about Ansible', () => {
  const page = read('docs/ansible.md')
  const examples = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, yaml = '']) => yaml)
  const isPlaybook = (yaml: string): boolean => yaml.startsWith('- hosts:')

  test('has a section for every key of `ansible`', () => {
    for (const key of keysAt(['repositories', 'acme/infrastructure', 'ansible']) ?? [])
      expect(page).toMatch(new RegExp(`^### .*\`${key}\``, 'm'))
  })

  test.each(examples.filter((yaml) => !isPlaybook(yaml)).map((yaml) => [yaml]))(
    'shows what is valid:\n%s',
    (yaml) => {
      const file = join(temporaryFolder(), 'config.yml')
      writeFileSync(file, `github: {webhook_secret: a-webhook-secret, token: ghp_xyz}\n${yaml}`)
      const names = [...yaml.matchAll(/\$\{(\w+)\}/g)].map(([, name = '']) => [name, file])

      const { repositories } = loadConfig(file, {
        environment: Object.fromEntries(names) as Record<string, string>,
      })

      expect([...repositories.keys()]).toEqual(['acme/infrastructure'])
    },
  )

  test.skipIf(!inject('ansible'))('shows playbooks that Ansible can read', () => {
    const folder = temporaryFolder()
    const playbooks = examples.filter(isPlaybook)
    playbooks.forEach((yaml, index) => writeFileSync(join(folder, `${index}.yml`), yaml))
    const words = [
      '--syntax-check',
      '-i',
      'web,',
      ...playbooks.map((_, index) => join(folder, `${index}.yml`)),
    ]

    expect(playbooks.length).toBeGreaterThan(1)
    execFileSync('ansible-playbook', words, { stdio: ['ignore', 'ignore', 'pipe'] })
  })
})

describe('links', () => {
  test.each([
    'README.md',
    'src/README.md',
    'CHANGELOG.md',
    'docs/errors.md',
    'docs/ansible.md',
    'docs/gates.md',
    'docs/operating.md',
    'docs/reasons.md',
    'docs/recipes.md',
    'docs/migrating-from-deployments.md',
    'docs/migrating-from-github-deploy-agent.md',
    'docs/migrating-from-repo-deploy.md',
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

test.each(['README.md', 'docs/ansible.md', 'docs/gates.md', 'docs/operating.md'])(
  'links in %s into a page lead to a heading',
  (page) => {
    const links = [...read(page).matchAll(/\]\((?!https?:)([^)#]*)#([^)]+)\)/g)]

    expect(links.length).toBeGreaterThan(0)
    for (const [, target = '', anchor] of links)
      expect(anchorsIn(read(target === '' ? page : join(dirname(page), target)))).toContain(anchor)
  },
)

test('the map names every folder and file of src that it shows', () => {
  const map = read('src/README.md')
  const shown = [...map.matchAll(/^(\w[\w-]*(?:\/|\.ts))\s/gm)].map(([, name = '']) => name)

  expect(shown.length).toBeGreaterThan(10)
  for (const name of shown)
    expect({ name, there: existsSync(join('src', name)) }).toEqual({ name, there: true })
})

test('every statement to the database in docs/operating.md fits its tables', async () => {
  const file = join(temporaryFolder(), 'ferryman.sqlite')
  await (await openStore(file)).close()
  const statements = [...read('docs/operating.md').matchAll(/"((?:select|delete) [^"]+)"/g)]

  const database = new DatabaseSync(file)
  for (const [, statement = ''] of statements) database.exec(statement)
  database.close()

  expect(statements).toHaveLength(2)
})

test('every script in package.json that the README names exists', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  const named = [...read('README.md').matchAll(/npm run (\w+)/g)].map(([, name = '']) => name)

  expect(named.length).toBeGreaterThan(2)
  for (const name of named) expect(Object.keys(scripts)).toContain(name)
})
