import { readFileSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'

import { load } from 'js-yaml'
import { describe, expect, test } from 'vitest'

import { askForJson } from '../src/commands/client.ts'
import { loadConfig } from '../src/config/load.ts'
import { YAML_SCHEMA } from '../src/config/positions.ts'
import { splitWords } from '../src/config/words.ts'
import type { Deployment } from '../src/demo/github/state.ts'
import { ferryman } from './support/cli.ts'
import { openShop, type Shop } from './support/merging.ts'
import { eventually, temporaryFolder } from './support/running.ts'

const MINUTE = 60_000

interface Block {
  readonly language: string
  readonly lines: readonly string[]
}

/** What the page shows, by the title of the section. */
const SECTIONS = new Map(
  readFileSync('docs/gates.md', 'utf8')
    .split(/^## /m)
    .slice(1)
    .map((section) => {
      const blocks = [...section.matchAll(/^ *```(\w+)\n([^]*?)^ *```$/gm)].map(
        ([, language = '', text = '']): Block => ({ language, lines: text.trimEnd().split('\n') }),
      )
      return [section.slice(0, section.indexOf('\n')), blocks] as const
    }),
)
const blocksIn = (title: string, language: string): readonly Block[] =>
  (SECTIONS.get(title) ?? []).filter((block) => block.language === language)

/** The entry of an environment that the section shows. */
const entryIn = (title: string): Readonly<Record<string, unknown>> =>
  Object.assign(
    {},
    ...blocksIn(title, 'yaml').map(({ lines }) => load(lines.join('\n'), { schema: YAML_SCHEMA })),
  ) as Record<string, unknown>

/** An entry of acme/shop in which production is as the section shows it. */
const shopIn = (title: string) => {
  const entry = entryIn(title)
  return {
    lane: 'shop',
    environments: { ...('after' in entry ? { [String(entry['after'])]: {} } : {}), production: entry },
  }
}

/** Numbers, names and times are others each time. */
const plain = (text: string): string =>
  text
    .replaceAll(userInfo().username, 'ann')
    .replaceAll(/\b(?=[a-f]*\d)[0-9a-f]{7}\b/g, 'COMMIT')
    .replaceAll(/#\d+/g, '#N')
    .replaceAll(/\b(lock) \d+/gi, '$1 N')
    .replaceAll(/\b((?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) )?\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?/g, 'MOMENT')
    .replaceAll(/\b\d+(\.\d)? (s|min|h|days?)\b/g, 'TIME')
    .replaceAll(/ +/g, ' ')
    .trim()

/** A body of the request that a `gh api` command sends. */
function bodyOf(words: readonly string[]): Record<string, unknown> {
  const body: Record<string, unknown> = {}
  for (const [index, word] of words.entries()) {
    if (word !== '-f' && word !== '-F') continue
    const [, key = '', inner, value] = /^(\w+)(?:\[(\w*)\])?(?:=([^]*))?$/.exec(words[index + 1] ?? '') ?? []
    const meant = word === '-F' ? (JSON.parse(value ?? 'null') as unknown) : value
    if (inner === undefined) body[key] = meant
    else if (inner === '') body[key] = []
    else body[key] = { ...(body[key] as object | undefined), [inner]: meant }
  }
  return body
}

/** Plays what a section shows, block for block. */
class Shown {
  readonly made: Deployment[] = []
  readonly #console: Block[]
  readonly #text: Block[]
  readonly shop: Shop

  constructor(title: string, shop: Shop) {
    this.shop = shop
    this.#console = [...blocksIn(title, 'console')]
    this.#text = [...blocksIn(title, 'text')]
  }

  get isPlayed(): boolean {
    return this.#console.length + this.#text.length === 0
  }

  /** Runs every command of the next console, where `#…` is this number, and finds in its answer what stands below it. */
  async console(number = 1): Promise<void> {
    const lines =
      this.#console
        .shift()
        ?.lines.join('\n')
        .replaceAll(/\\\n\s*/g, '')
        .split('\n') ?? []
    expect(lines[0]).toMatch(/^\$ /)
    let answer: string[] = []
    for (const line of lines)
      if (line.startsWith('$ ')) answer = await this.#run(line.slice(2).replaceAll(/#\d+/g, `#${number}`))
      else {
        const at = answer.indexOf(plain(line))
        expect({ line: plain(line), answer: at === -1 ? answer : [plain(line)] }).toEqual({
          line: plain(line),
          answer: [plain(line)],
        })
        answer = answer.slice(at + 1)
      }
  }

  async #run(command: string): Promise<string[]> {
    const split = splitWords(command)
    const [program, ...words] = 'words' in split ? split.words : []
    if (program === 'gh') {
      this.made.push(await this.shop.deploy(bodyOf(words), 'ann'))
      return []
    }
    expect(program).toBe('ferryman')
    const { out, err } = await ferryman([...words, '-c', this.shop.configFile])
    return `${out}${err}`.split('\n').map(plain)
  }

  /** Waits until GitHub was told of these deployments what the next text says, a line each. */
  async text(...deployments: readonly Deployment[]): Promise<void> {
    const lines = this.#text.shift()?.lines.map(plain) ?? []
    const told = () => deployments.flatMap((one) => this.shop.statuses(one).map(plain))
    await eventually('GitHub is told', () => lines.every((line) => told().includes(line))).catch(() =>
      expect(told()).toEqual(expect.arrayContaining(lines)),
    )
    expect(lines.length).toBeGreaterThan(0)
  }
}

interface Scenario {
  readonly commands?: readonly (readonly string[])[]
  play(shop: Shop, shown: Shown): Promise<void>
}

const ask = (shop: Shop, path: string, body: object) =>
  askForJson({ config: shop.configFile, dataDir: undefined }, { method: 'POST', path: `/api/${path}`, body })
const lock = (shop: Shop, reason = 'moving the database') =>
  ask(shop, 'locks', { repository: 'acme/shop', environment: 'production', reason })
const held = (shop: Shop, detail: string) =>
  shop.waitForJournal((line) => line.includes('deployment:held') && line.includes(detail))
const ended = (shop: Shop, detail: string) =>
  shop.waitForJournal((line) => line.includes('deployment:ended') && line.includes(detail))
const setClock = (shop: Shop, moment: string): void => shop.setClock(Date.parse(moment) - Date.now())
const report = async (shop: Shop, sha: string, context: string, state: 'success' | 'failure') => {
  shop.github.addCommitStatus('acme/shop', sha, { context, state })
  await shop.checked(sha)
}

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  'Why is it not deploying?': {
    async play(shop, shown) {
      await lock(shop)
      await shop.deploy()
      await held(shop, 'moving the database')
      shop.setClock(4 * MINUTE)
      await shown.console()
    },
  },
  Checks: {
    async play(shop, shown) {
      const sha = await shop.commit('Faster')
      await shop.merge(sha)
      await held(shop, 'Waiting for')
      await shown.console()
      await report(shop, sha, 'ci/test', 'failure')
      await ended(shop, 'checks_failed')
      await shown.console()
    },
  },
  'Checks that nobody can skip': {
    async play(shop, shown) {
      const asked = await shop.deploy({}, 'ann')
      await shown.text(asked)
      await shown.console()
      await held(shop, '"Waiting for security/audit"')
      await report(shop, asked.sha, 'security/audit', 'success')
      await shop.status(asked, 'success')
    },
  },
  Windows: {
    async play(shop, shown) {
      const made = []
      for (const moment of ['2026-11-27T05:00Z', '2026-11-28T14:00Z', '2026-12-24T10:00Z']) {
        setClock(shop, moment)
        made.push(await shop.deploy())
        await held(shop, `production#${made.length}"`)
      }
      await shown.text(...made)
      setClock(shop, '2027-01-04T11:00Z')
      shop.app.again()
      for (const one of made) await shop.status(one, 'success')
    },
  },
  'Another environment first': {
    async play(shop, shown) {
      const asked = await shop.deploy()
      await held(shop, 'Waiting for staging')
      await shown.console()
      await shop.deploy({ environment: 'staging' })
      await held(shop, 'bakes on staging')
      await shown.console()
      shop.setClock(31 * MINUTE)
      shop.app.again()
      await shop.status(asked, 'success')
    },
  },
  Approvals: {
    async play(shop, shown) {
      const asked = await shop.deploy()
      await shown.text(asked)
      await shown.console()
      await shown.text(asked)
      await shop.status(asked, 'success')
    },
  },
  Locks: {
    async play(shop, shown) {
      await shown.console()
      const asked = await shop.deploy()
      await shown.text(asked)
      await shown.console()
      await shop.status(asked, 'success')
    },
  },
  'Locks from GitHub': {
    async play(shop, shown) {
      await shown.console()
      await shown.text(...shown.made)
      await shown.text(await shop.deploy({ task: 'deploy:lock', description: 'a release' }, 'bob'))
      await shown.console()
      await shown.text(...shown.made)
    },
  },
  Force: {
    async play(shop, shown) {
      await lock(shop)
      const asked = await shop.deploy()
      await held(shop, 'moving the database')
      await shown.console()
      await shown.text(asked)
      await shown.console()
    },
  },
  'Only the newest counts': {
    commands: [['sh', '-c', 'until [ -e ../go ]; do sleep 0.05; done']],
    async play(shop, shown) {
      const running = await shop.deploy({}, 'ann')
      await shop.status(running, 'in_progress')
      const older = await shop.deploy({}, 'ann')
      const newer = await shop.deploy({}, 'ann')
      await shown.text(older)
      await shown.console()
      writeFileSync(join(shop.sample.folder, '../go'), '')
      await shop.status(newer, 'success')
    },
  },
  'The way back': {
    async play(shop, shown) {
      for (const message of ['First', 'Second', 'Third']) {
        await shop.commit(message)
        await shop.status(await shop.deploy(), 'success')
      }
      await shown.console(2)
    },
  },
  'Commits of forks': {
    async play(shop, shown) {
      const [commit] = shop.github.pushToFork('acme/shop', 'mallory/shop', [{ message: 'For nothing' }])
      await shown.text(await shop.deploy({ ref: commit?.sha ?? '' }))
    },
  },
}

test('every section has a scenario, and every scenario a section', () => {
  expect(Object.keys(SCENARIOS)).toEqual([...SECTIONS.keys()])
})

describe('what a section shows', () => {
  test.each([...SECTIONS.keys()].filter((title) => blocksIn(title, 'yaml').length > 0))(
    'is an entry without complaint: %s',
    (title) => {
      const file = join(temporaryFolder(), 'config.yml')
      const github = { webhook_secret: '0123456789abcdef', token: 'ghp_xyz' }
      const entry = { folder: '/srv/shop', commands: [['true']], ...shopIn(title) }
      writeFileSync(file, JSON.stringify({ github, repositories: { 'acme/shop': entry } }), { mode: 0o600 })

      const { repositories, warnings } = loadConfig(file, { environment: {} })

      expect(warnings).toEqual([])
      expect(repositories.get('acme/shop')?.environments.has('production')).toBe(true)
    },
  )

  test.each(Object.entries(SCENARIOS))(
    'is what happens: %s',
    async (title, { commands, play }) => {
      const shop = await openShop({ entry: shopIn(title), ...(commands && { commands }) })
      const shown = new Shown(title, shop)

      await play(shop, shown)

      expect(shown.isPlayed).toBe(true)
    },
    60_000,
  )
})
