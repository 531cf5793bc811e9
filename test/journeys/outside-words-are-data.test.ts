import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { askForJson } from '../../src/commands/client.ts'
import { serve, type Served } from '../support/journey.ts'
import { openShop } from '../support/merging.ts'
import { deploymentEvent } from '../support/payloads.ts'
import { eventually } from '../support/running.ts'

/** What somebody would write who wants something to be read as more than words; another one is one more line. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  'of a shell or of git': [
    '$(touch pwned)',
    '`touch pwned`',
    '; touch pwned #',
    "' touch pwned '",
    '" & touch pwned & "',
    'a\ntouch pwned\n',
    '--upload-pack=touch pwned',
    '-c core.sshCommand=touch${IFS}pwned',
    'ext::sh -c touch% pwned',
    '@{-1} HEAD^{/touch} :/pwned',
  ],
  'of a path, a template or a language': [
    '../../../../etc/passwd',
    '/etc/passwd',
    "{{lookup('pipe','touch pwned')}}",
    '{% for x in () %}{{x.__class__}}{% endfor %}',
    '!unsafe *alias &anchor !!js/function "x"',
    '{payload.secret} {sha} {{sha}} ${HOME} $HOME %s %n %x',
    '","state":"success","x":"',
    "'; drop table deployments; --",
    '\ud800 half a pair, and an 😀',
    'x'.repeat(900),
  ],
  'of a message, a page, a line or a terminal': [
    '<!channel> <@U1> <!subteam^S1> <https://evil.example|ok> &amp; @here *b* `c`',
    '<script>alert(1)</script><img src=x onerror=alert(1)>',
    'x\r\nX-Injected: yes\r\n\r\n<h1>hello</h1>',
    'first\r\n2026-11-21T10:54:00.000Z▸ exit 0 (0.1 s)\n{"level":"info","event":"forged:event"}\n',
    'over\r2026-11-21T10:54:00.000Z▸ exit 0 (0.1 s)',
    'back\b\b\b\b\b\u001b[1G2026-11-21T10:54:00.000Z▸ exit 0 (0.1 s)',
    '\u001b]0;title\u0007\u001b[2J\u001b]52;c;cHduZWQ=\u0007\u001b]8;;https://evil.example\u0007link\u001b]8;;\u0007',
    '\u009b2J\u009d0;title\u009c\u0085\u0090q\u009c',
    '\u202eolleh\u202c \u2066x\u2069 \u200f\u061c\u2028\u2029',
  ],
}

/** Writes down what it was given, then shows it as careless commands do, and fails where it is told to. */
const COMMAND = `
const { argv, env, stdout } = process
const payload = JSON.parse(env.FERRYMAN_PAYLOAD)
if (payload.word !== undefined)
  require('fs').writeFileSync('../given.json', JSON.stringify({ given: argv.slice(1), payload, env }))
stdout.write(env.GITHUB_REF + '|' + payload.word + '|\\nerror: ' + env.GITHUB_REF + '\\n')
process.exitCode = payload.fails ? 1 : 0`

const COMMANDS = [['node', '-e', COMMAND, 'ref={ref}', 'word={payload.word}']]

/** Where the words come from; another one is one more line. Each resolves when it has been dealt with. */
const PLACES: Readonly<Record<string, (world: Served, word: string) => Promise<unknown>>> = {
  async 'a deployment that works'(world, word) {
    await world.status(await deploy(world, word), 'success')
  },
  async 'a deployment that fails, and its output'(world, word) {
    await world.status(await deploy(world, word, { fails: true }), 'failure')
    await world.slack.waitFor(({ text }) => text?.startsWith('Could not deploy') ?? false)
  },
  async 'a task'(world, task) {
    await world.status(await world.deploy({ task }), 'error')
  },
  'an environment': (world, environment) => world.deploy({ environment }),
  'people without an account': ({ github }, word) =>
    github.deliver('deployment', {
      ...deploymentEvent({ creator: { login: word.slice(0, 100) }, description: word }),
      sender: { login: word.slice(0, 100) },
    }),
  'a merge': ({ github, sha }, word) =>
    github.deliver('pull_request', {
      action: 'closed',
      pull_request: {
        number: 7,
        title: word,
        merged: true,
        merge_commit_sha: sha,
        merged_by: { login: word.slice(0, 100) },
        base: { ref: 'main' },
      },
      repository: REPOSITORY,
    }),
  'a push to a branch': ({ github, sha }, word) =>
    github.deliver('push', {
      ref: `refs/heads/${word}`,
      after: sha,
      head_commit: { message: word },
      pusher: { name: word.slice(0, 200) },
      repository: REPOSITORY,
    }),
  'the name of a repository': ({ github, sha }, word) =>
    github.deliver('status', { sha, repository: { ...REPOSITORY, full_name: `acme/${word}` } }),
  "GitHub's answers": async (world, word) => {
    const body = { message: word, errors: [word, { message: word }], documentation_url: word }
    world.github.fail({ method: 'POST', path: /\/statuses$/, with: { status: 422, body } })
    world.github.fail({
      method: 'POST',
      path: /\/statuses$/,
      with: { status: 502, body: `<title>${word}</title>` },
    })
    await world.status(await world.deploy(), 'success')
    await world.waitForJournal((line) => line.includes('GitHub answered 422'))
  },
  "Slack's answers": async (world, word) => {
    world.slack.fail({ with: { status: 400, body: word } })
    await world.status(await world.deploy(), 'success')
    await world.waitForJournal((line) => line.includes('Slack answered 400'))
  },
}

const REPOSITORY = { id: 17, full_name: 'acme/shop', private: true, default_branch: 'main' }

const deploy = (world: Served, word: string, more: object = {}) =>
  world.deploy({ ref: word, description: word, payload: { word, [word]: word, deploy_user: word, ...more } })

test.each(Object.entries(WORDS))(
  'words %s are handed on as they are, and read by nobody',
  { timeout: 60_000 },
  async (_, words) => {
    await Promise.all(
      words.map((word) =>
        goEverywhere(word).catch((cause: unknown) => {
          throw new Error(`It went wrong with ${JSON.stringify(word)}.`, { cause })
        }),
      ),
    )
  },
)

/** A world of its own for one word, which is put everywhere. */
async function goEverywhere(word: string): Promise<void> {
  const world = await serve({ commands: COMMANDS })
  world.github.setBranch('acme/shop', word, world.sha)

  for (const [place, put] of Object.entries(PLACES))
    await put(world, word).catch((cause: unknown) => {
      throw new Error(`It went wrong in ${place}.`, { cause })
    })
  await eventually(
    'all is told',
    () => world.journal.filter((line) => line.includes('deployment:ended')).length >= 4,
  )

  expectNothingRun(world)
  expectGiven(world, word)
  await expectTruthfulLogs(world)
  expectOneLineEach(world)
  expectPlainReports(world)
}

/** No word became a program, a file or an option. */
function expectNothingRun({ directory, folder }: Served): void {
  expect(readdirSync(folder)).toEqual([])
  expect(readdirSync(directory).toSorted()).toEqual(['config.yml', 'data', 'given.json', 'work'])
  expect(existsSync('pwned')).toBe(false)
}

/** The command had the very word, in whole arguments and variables; half a pair has no bytes of its own. */
function expectGiven({ directory }: Served, word: string): void {
  const { given, payload, env } = JSON.parse(readFileSync(join(directory, 'given.json'), 'utf8')) as {
    readonly given: unknown
    readonly payload: Readonly<Record<string, unknown>>
    readonly env: Readonly<Record<string, string>>
  }
  expect(given).toEqual([`ref=${word.toWellFormed()}`, `word=${word.toWellFormed()}`])
  expect(payload).toMatchObject({ word, [word]: word, deploy_user: word })
  expect(env).toMatchObject({
    GITHUB_REF: word.toWellFormed(),
    GITHUB_TASK: 'deploy',
    GITHUB_ENV: 'production',
  })
  expect(Object.keys(env).filter((name) => !/^[A-Z_]+$/.test(name))).toEqual([])
}

/** What moves a cursor, ends a line or turns it around, but for what text is made of. */
const UNSEEN = /[^\P{Cc}\n\t]|[\p{Bidi_Control}\u2028\u2029\ufeff]/u
const STAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/

/** Every line has a time, and only we say how a step ended; in the bytes as in the plain text. */
async function expectTruthfulLogs(world: Served): Promise<void> {
  for (const id of [1, 2]) {
    const stored = (await world.log(id, '?colours=1')).trimEnd().split('\n')
    expect(stored.filter((line) => !STAMP.test(line))).toEqual([])
    expect(stored.filter((line) => /^\S+Z▸ exit /.test(line))).toHaveLength(1)

    const shown = await world.log(id)
    expect(shown).not.toMatch(UNSEEN)
    const lines = shown.trimEnd().split('\n')
    expect(lines.filter((line) => !STAMP.test(line) && !line.startsWith(' '.repeat(25)))).toEqual([])
    expect(lines.filter((line) => /^\S+Z▸ exit /.test(line))).toHaveLength(1)
  }
  // Of the unknown task there is no log, only two lines that say so.
  for (const query of ['', '?colours=1'])
    expect(await world.log(3, query)).toMatch(/^acme\/shop\/production#3 is failed; .*\nUnknown task: .*\n$/)
  expect(await world.log(3)).not.toMatch(UNSEEN)
}

/** In the server's own log each event is one line, for machines and for people. */
function expectOneLineEach({ journal, terminal }: Served): void {
  for (const line of journal) {
    const { event } = JSON.parse(line) as { event: string }
    expect(event).toMatch(/^[a-z-]+:[a-z-]+$/)
    expect(event).not.toBe('forged:event')
  }
  expect(terminal).toHaveLength(journal.length)
  for (const line of [...journal, ...terminal]) {
    expect(line.endsWith('\n')).toBe(true)
    expect(line.trimEnd()).not.toMatch(/[\p{Cc}\p{Bidi_Control}\u2028\u2029\ufeff]/u)
  }
  for (const line of terminal) expect(line).toMatch(/^\d\d:\d\d:\d\d [a-z-]+:[a-z-]+( |\n)/)
}

/** What GitHub and Slack were told holds no link, no mention and no control but ours. */
function expectPlainReports({ github, slack }: Served): void {
  const statuses = github.requests.filter(
    ({ method, path }) => method === 'POST' && path.endsWith('/statuses'),
  )
  for (const { headers, body } of statuses) {
    const { description } = body as { description: string }
    expect(description.length).toBeLessThanOrEqual(140)
    expect(description).not.toMatch(/[\p{Cc}\p{Bidi_Control}\u2028\u2029\ufeff]/u)
    expect(Object.keys(headers)).not.toContain('x-injected')
  }
  expect(slack.messages.length).toBeGreaterThan(3)
  for (const message of slack.messages) {
    const texts = textsIn(message)
    expect(texts.filter(({ type, verbatim }) => type === 'mrkdwn' && verbatim !== true)).toEqual([])
    for (const { text } of texts) {
      expect(
        text.replaceAll(
          /<http:\/\/127\.0\.0\.1[^<>|]*\|\w+>|<https:\/\/deploy\.example\.org[^<>|]*\|log>/g,
          '',
        ),
      ).not.toMatch(/[<>]/)
      expect(text).not.toMatch(/[^\P{Cc}\n]|[\p{Bidi_Control}\u2028\u2029\ufeff]/u)
    }
  }
}

interface Text {
  readonly type?: string
  readonly text: string
  readonly verbatim?: boolean
}

/** Every text in a message, wherever it stands. */
function textsIn(value: unknown): Text[] {
  if (Array.isArray(value)) return value.flatMap(textsIn)
  if (typeof value !== 'object' || value === null) return []
  const own = typeof Reflect.get(value, 'text') === 'string' ? [value as Text] : []
  return [...own, ...Object.values(value).flatMap(textsIn)]
}

test('the name of a failed check is told as it is, and read by nobody', async () => {
  const shop = await openShop({ entry: { required_contexts: 'all' } })
  const sha = await shop.commit('A change')
  const words = Object.values(WORDS).flat()
  for (const context of words)
    shop.github.addCommitStatus('acme/shop', sha, { context: context.slice(0, 200), state: 'failure' })

  await shop.merge(sha)
  await shop.waitForJournal((line) => line.includes('checks_failed'))
  await shop.slack.waitFor(({ text }) => text?.startsWith('Could not deploy') ?? false)

  expectOneLineEach(shop)
  for (const message of shop.slack.messages)
    for (const { text } of textsIn(message))
      expect(text).not.toMatch(/<(?!http:\/\/127|https:\/\/deploy\.example)/)
})

test(
  'what is said by whoever cancels is told as it is, and read by nobody',
  { timeout: 60_000 },
  async () => {
    const world = await serve({ commands: [['sleep', '300']] })
    const words = WORDS['of a message, a page, a line or a terminal'] ?? []
    const running = await world.deploy()
    await world.status(running, 'in_progress')
    const waiting = []
    for (const _ of words) waiting.push(await world.deploy())

    for (const [index, reason] of words.entries())
      await askForJson(
        { config: undefined, dataDir: join(world.directory, 'data') },
        { method: 'POST', path: `/api/deployments/${index + 2}/cancel`, body: { reason } },
      )
    for (const deployment of waiting) await world.status(deployment, 'error')
    await world.slack.waitFor(
      ({ text }) => text?.startsWith(`Cancelled acme/shop/production#${words.length + 1} `) ?? false,
      30_000,
    )

    const logs = await Promise.all(words.map((_, index) => world.log(index + 2)))
    for (const log of logs) expect(log.trimEnd().split('\n')).toHaveLength(2)
    for (const deployment of waiting)
      expect(world.statuses(deployment).at(-1)).toMatch(/^error: Cancelled by \w+: ./)
    expectOneLineEach(world)
    expectPlainReports(world)
  },
)

test('a value that would become an option is refused before anything runs', async () => {
  const world = await serve({
    commands: [
      ['touch', 'first'],
      ['git', 'fetch', 'origin', '{ref}'],
    ],
  })
  world.github.setBranch('acme/shop', '--upload-pack=touch pwned;git-upload-pack', world.sha)

  const deployment = await world.deploy({ ref: '--upload-pack=touch pwned;git-upload-pack' })
  await world.status(deployment, 'error')

  expect(world.statuses(deployment).at(-1)).toMatch(
    /^error: The argument "\{ref\}" was refused: \{ref\} begins with "-"/,
  )
  expect(readdirSync(world.folder)).toEqual([])
})

test('a task is a name that is looked up, never a path', async () => {
  const world = await serve()

  for (const task of ['../../bin/id', '/bin/id', 'deploy\n', '']) {
    const deployment = await world.deploy({ task: task === '' ? ' ' : task })
    await world.status(deployment, 'error')
    expect(world.statuses(deployment)).toHaveLength(1)
  }
})
