import { createPrivateKey, generateKeyPairSync } from 'node:crypto'

import { expect, test } from 'vitest'

import { loadConfig, readConfig } from '../../src/config/load.ts'
import { lineOf } from '../../src/config/problems.ts'
import { createMasker } from '../../src/logs/redact.ts'
import { keysOfApp } from '../support/apps.ts'
import { ENTRY, problemsOf, written } from './written.ts'

const KEYS = keysOfApp()
const SECRET = "webhook_secret: '0123456789abcdef'"
const APP = 'app: {id: 4711, private_key_file: app.pem}'
const configWith = (github: string): string => `github: {${SECRET}, ${github}}\n${ENTRY}`

/** What is wrong with an App whose key file holds this. */
function problemsOfKey(pem: string): string[] {
  const file = written(configWith(APP), { 'app.pem': pem })
  const reading = readConfig(file, { environment: {} })
  const folder = file.replace('/config.yml', '')
  return 'problems' in reading
    ? reading.problems.map((one) => lineOf(one).replaceAll(folder, '<folder>'))
    : []
}

test.each([
  ['as GitHub gives it', KEYS.privateKey],
  ['in PKCS#8', createPrivateKey(KEYS.privateKey).export({ type: 'pkcs8', format: 'pem' }).toString()],
])('the key of an App is read from its file, %s', (_, pem) => {
  const file = written(configWith(APP), { 'app.pem': pem })

  const { github } = loadConfig(file, { environment: {} })

  expect(github.credentials).toEqual({ app: { id: '4711', privateKey: pem.trimEnd() } })
})

test('id and file may come from the environment', () => {
  const file = written(configWith("app: {id: '${ID}', private_key_file: '${KEY}'}"), {
    'app.pem': KEYS.privateKey,
  })

  const { github } = loadConfig(file, { environment: { ID: '4711', KEY: './app.pem' } })

  expect(github.credentials).toMatchObject({ app: { id: '4711' } })
})

test('every line of the key is masked, and the words around a key are not', () => {
  const file = written(configWith(APP), { 'app.pem': KEYS.privateKey })
  const { mask } = createMasker(loadConfig(file, { environment: {} }).secrets)
  const lines = KEYS.privateKey.trim().split('\n').slice(1, -1)

  for (const line of lines) expect(mask(`at ${line}:`)).toBe('at •••:')
  expect(mask('-----END RSA PRIVATE KEY-----')).toBe('-----END RSA PRIVATE KEY-----')
})

const EXPECTED = 'expected the .pem file that GitHub has made for the App'
const KEY_AT = 'config.yml:1:62 github.app.private_key_file'
const ed25519 = generateKeyPairSync('ed25519').privateKey

test.each([
  ['no key', 'ssh-rsa AAAA', `<folder>/app.pem holds no private key: ${EXPECTED}`],
  ['a public key', KEYS.publicKey, `<folder>/app.pem holds no private key: ${EXPECTED}`],
  [
    'a key of another kind',
    ed25519.export({ type: 'pkcs8', format: 'pem' }).toString(),
    `<folder>/app.pem holds a key of the kind ed25519, not RSA: ${EXPECTED}`,
  ],
  [
    'a key with a passphrase',
    createPrivateKey(KEYS.privateKey)
      .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' })
      .toString(),
    `<folder>/app.pem holds a key with a passphrase: ${EXPECTED}`,
  ],
  ['nothing', '', '<folder>/app.pem is empty'],
])('a key file that holds %s is refused', (_, pem, told) => {
  expect(problemsOfKey(pem)).toEqual([`${KEY_AT}: ${told}`])
})

test.each([
  [APP, [`${KEY_AT}: <folder>/app.pem cannot be read: it does not exist`]],
  ["app: {id: 4711, private_key_file: '${KEY}'}", [`${KEY_AT}: the environment variable KEY is not set`]],
  [
    `token: ghp_xyz, app: {id: 4711, private_key_file: app.pem}`,
    ['config.yml:1:62 github.app: stands beside token: keep one of the two'],
  ],
  [
    'x-nothing: 1',
    [
      'config.yml:1:1 github.token: is missing: expected a token without white space, as a text such as ${NAME} or as {file: path}; or app: {id, private_key_file}',
    ],
  ],
  ['tokn: ghp_xyz', ['config.yml:1:46 github.tokn: unknown key; did you mean token?']],
  [
    'app: {id: Iv1.abc, key: app.pem}',
    [
      'config.yml:1:46 github.app.private_key_file: is missing: expected a path',
      'config.yml:1:52 github.app.id: expected the App ID, a number that GitHub shows in the settings of the App, got "Iv1.abc"',
      'config.yml:1:65 github.app.key: unknown key; known here: id, private_key_file',
    ],
  ],
  ['app: 4711', ['config.yml:1:46 github.app: expected a mapping with id and private_key_file, got 4711']],
])('%s is refused, with its place', (github, problems) => {
  expect(problemsOf(configWith(github))).toEqual(problems)
})
