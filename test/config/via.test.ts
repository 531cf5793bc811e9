import { expect, test } from 'vitest'

import type { EnvironmentConfig } from '../../src/config/config.ts'
import { GITHUB, load, problemsOf } from './written.ts'

const REPOSITORIES = 'repositories:\n  acme/shop:\n    via: none\n'
const GIT = '    workspace: {url: https://git.example.org/shop.git}\n    commands: [[make]]\n'
const ZIP = '    source: https://builds.example.org/shop.zip\n    releases: {path: /srv/shop}\n'

const environmentOf = (lines: string): EnvironmentConfig | undefined =>
  load(`${REPOSITORIES}${lines}`).repositories.get('acme/shop')?.environments.get('production')
const wrongIn = (lines: string): string[] =>
  problemsOf(`${REPOSITORIES}${lines}`).map((line) => line.replace(/^.*?: /, ''))

test('a configuration in which nothing is at GitHub needs no section of it', () => {
  const config = load(`${REPOSITORIES}${GIT}`)

  expect(config.github).toMatchObject({ credentials: undefined, webhookSecrets: [] })
  expect(environmentOf(GIT)).toMatchObject({
    via: 'none',
    deployOn: 'none',
    poll: { everySeconds: 60 },
    recipe: { workspace: { url: 'https://git.example.org/shop.git', withoutToken: true } },
  })
  expect(environmentOf(ZIP)?.recipe.releases?.source).toMatchObject({ isPolled: true })
})

test('one repository that is at GitHub needs it', () => {
  const both = `${REPOSITORIES}${GIT}  acme/blog: {folder: /srv/blog, commands: [[id]]}\n`

  expect(problemsOf(both)).toEqual([
    'config.yml:1:1 github: is missing: expected a mapping with webhook_secret and token',
  ])
  expect([...load(`${GITHUB}${both}`).repositories.values()].map(({ name }) => name)).toEqual([
    'acme/shop',
    'acme/blog',
  ])
})

test.each([
  ['5m', { everySeconds: 300 }],
  [90, { everySeconds: 90 }],
  ['"*/5 6-22 * * 1-5"', { cron: '*/5 6-22 * * 1-5', zone: 'UTC' }],
  ['off', undefined],
])('poll: %s is read', (given, poll) => {
  expect(environmentOf(`${GIT}    poll: ${given}\n`)?.poll).toEqual(poll)
})

test.each([
  ['30s', 'expected at least 1m, got "30s"'],
  [
    'often',
    'expected a length of time like 5m, a cron expression such as "*/5 * * * *", or off, got "often"',
  ],
  ['"61 * * * *"', 'expected minutes from 0 to 59, as its 1st field, got "61 * * * *"'],
])('poll: %s is refused', (given, message) => {
  expect(wrongIn(`${GIT}    poll: ${given}\n`)).toEqual([message])
})

test('what only GitHub can do something about is refused, with the reason', () => {
  expect(
    wrongIn(`${GIT}    required_contexts: [ci]\n    deploy_on: push\n    commit_status: true\n`),
  ).toEqual([
    'is about what GitHub reports of a commit; let a command under `hooks: {before: …}` ask whoever knows: with `via: none` nobody is asked there',
    'is about merges and pushes, of which GitHub tells; write `poll`, such as `poll: off`: with `via: none` nobody is asked there',
    'is about what is written to GitHub: with `via: none` nobody is asked there',
  ])
})

test('a source that nobody can ask is refused, and a branch of a zip', () => {
  expect(wrongIn('    folder: /srv/shop\n    commands: [[make]]\n')).toEqual([
    'none needs a source that can be asked: `workspace: {url: …}` for a git repository, or `source: https://….zip` with `releases`',
  ])
  expect(wrongIn('    workspace: fresh\n    commands: [[make]]\n')).toEqual([
    'needs a url with `via: none`, such as {url: https://git.example.org/shop.git}',
  ])
  expect(wrongIn(`${ZIP}    branch: main\n`)).toEqual(['is nothing here: the source is a zip'])
  expect(wrongIn(ZIP.replace('shop.zip', 'shop-{short_sha}.zip'))).toEqual([
    'has a commit in it, and with `via: none` nobody names one: write an address that always holds the newest',
  ])
})

test('poll is nothing for what is at GitHub', () => {
  expect(
    problemsOf(`${GITHUB}repositories:\n  acme/shop: {folder: /srv/shop, commands: [[id]], poll: 5m}\n`),
  ).toEqual([
    'config.yml:3:52 repositories.acme/shop.poll: needs `via: none` beside it: what is at GitHub is told by its webhooks, and `catch_up` asks for what was missed',
  ])
})
