import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { expect, test } from 'vitest'

import { loadConfig } from '../../src/config/load.ts'
import { ENTRY, GITHUB, load, problemsOf, problemsOfShop, written } from './written.ts'

const VARIABLES = { GIST_TOKEN: 'github_pat_logs', S3_SECRET: 'a-secret-of-s3', PLACE: 'deployments' }

/** What becomes of the logs of each environment of acme/shop. */
function targets(text: string) {
  const config = load(text, { environment: VARIABLES })
  const { environments } = config.repositories.get('acme/shop') ?? {}
  return Object.fromEntries([...(environments ?? [])].map(([name, { logTo }]) => [name, logTo]))
}

test('the nearest level says where logs are put; nobody does by default', () => {
  const entry = (own: string) =>
    `repositories: {acme/shop: {folder: /srv/shop, lane: shop, commands: [[id]]${own}}}\n`

  expect(targets(`${GITHUB}${ENTRY}`)).toEqual({ production: undefined })
  expect(targets(`${GITHUB}log_to: gist\n${ENTRY}`)).toEqual({
    production: { kind: 'gist', token: undefined },
  })
  expect(targets(`${GITHUB}log_to: gist\n${entry(', log_to: none')}`)).toEqual({ production: undefined })
  expect(
    targets(
      `${GITHUB}log_to: none\n${entry(', log_to: gist, environments: {a: {}, b: {log_to: {gist: {token: "${GIST_TOKEN}"}}}}')}`,
    ),
  ).toEqual({
    a: { kind: 'gist', token: undefined },
    b: { kind: 'gist', token: 'github_pat_logs' },
  })
})

test('a bucket has its credentials and its place, references filled, and every secret is known', () => {
  const file = written(
    `${GITHUB}log_to:\n  s3: s3://logs/\${PLACE}/\n  region: eu-west-1\n  endpoint: https://minio.example.org\n` +
      '  access_key_id: AKIALOGS\n  secret_access_key: {file: secret}\n  key_file: keys\n' +
      `  url: https://logs.example.org/all/\n${ENTRY}`,
  )
  writeFileSync(join(dirname(file), 'secret'), 'a-secret-of-s3\n')
  const config = loadConfig(file, { environment: VARIABLES })

  expect(config.repositories.get('acme/shop')?.environments.get('production')?.logTo).toEqual({
    kind: 's3',
    bucket: 'logs',
    prefix: 'deployments/',
    region: 'eu-west-1',
    endpoint: 'https://minio.example.org',
    url: 'https://logs.example.org/all',
    keyFile: join(dirname(file), 'keys'),
    configured: { accessKeyId: 'AKIALOGS', secretAccessKey: 'a-secret-of-s3' },
  })
  expect(config.secrets).toContain('a-secret-of-s3')
})

test.each([
  ['gists', 'expected gist, none, or a mapping with gist or s3, got "gists"'],
  ['{}', 'names neither gist nor s3'],
  ['{gist: {token: abc}, s3: "s3://logs"}', 'names gist and s3: keep one of the two'],
  ['{gist: {token: abc}, region: x}', 'is for s3, and the logs are put into gists: leave it out'],
  ['{s3: "https://logs"}', 'expected a bucket such as s3://bucket or s3://bucket/logs, got "https://logs"'],
  ['{s3: "s3://logs", access_key_id: x}', 'needs access_key_id and secret_access_key together'],
  [
    '{s3: "s3://logs", url: "https://logs.example.org/?a"}',
    'expected an address such as https://logs.example.org, got "https://logs.example.org/?a"',
  ],
  ['{s3: "s3://logs", regoin: x}', 'unknown key; did you mean region?'],
  ['{gist: {tokne: x}}', 'unknown key; did you mean token?'],
  ['{gist: {token: "${NONE}"}}', 'the environment variable NONE is not set'],
])('log_to: %s is refused, once, wherever it stands', (given, complaint) => {
  const above = problemsOf(`${GITHUB}log_to: ${given}\n${ENTRY}`)
  const beside = problemsOfShop(`commands: [[id]]\nlog_to: ${given}\n`)

  expect(above.filter((one) => one.includes(complaint))).toHaveLength(1)
  expect(beside.filter((one) => one.includes(complaint))).toHaveLength(1)
})

test('an App needs a token of its own for gists, and is told so', () => {
  const app = "github: {webhook_secret: '0123456789abcdef', app: {id: 1, private_key_file: none.pem}}\n"

  expect(problemsOf(`${app}log_to: gist\n${ENTRY}`)).toContain(
    'config.yml:2:1 log_to: needs a token of its own, since a GitHub App can make no gists: write {gist: {token: ${GIST_TOKEN}}}',
  )
  expect(problemsOf(`${app}log_to: {gist: {token: abc}}\n${ENTRY}`).join('\n')).not.toContain('log_to')
})
