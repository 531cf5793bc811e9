import { rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { describe, expect, test } from 'vitest'

import { loadConfig } from '../../src/config/load.ts'
import { resolveValue } from '../../src/config/values.ts'
import type { Value } from '../../src/deployment/recipe.ts'
import { GITHUB, load, shop, written } from './written.ts'

const PATH = ['repositories', 'acme/shop', 'env', 'A']
const valueOf = (line: string, environment = {}): Value | undefined =>
  shop(`commands: [[id]]\nenv: {${line}}`, { environment }).recipe.env[line.split(':')[0] ?? '']

describe('how a variable is kept in the recipe', () => {
  test.each([
    ['A: plain', { literal: 'plain' }],
    ['A: ""', { literal: '' }],
    ['A: 1.10', { literal: '1.10' }],
    ['A: 0x1F', { literal: '0x1F' }],
    ['A: true', { literal: 'true' }],
    ['A: "a ${B} c"', { template: 'a ${B} c' }],
    ['A: https://example.org/x:y@z', { literal: 'https://example.org/x:y@z' }],
  ])('%s', (line, value) => {
    expect(valueOf(line, { B: 'b' })).toEqual(value)
  })

  test.each([
    'MY_SECRET',
    'token',
    'DB_PASSWORD',
    'DB_PW',
    'SESSION_COOKIE',
    'SALT',
    'PASSWD',
    'PRIVATE',
    'X_CREDENTIALS',
    'API_KEY',
    'AWS_ACCESS_KEY_ID',
  ])('a literal called %s is kept as a reference to its place', (name) => {
    expect(valueOf(`${name}: 12345678`)).toEqual({ config: ['repositories', 'acme/shop', 'env', name] })
  })

  test('so is an address with a password in it', () => {
    expect(valueOf('A: "postgres://me:hidden@db/x"')).toEqual({ config: PATH })
  })

  test('a file is kept by its absolute path', () => {
    const file = written(
      `${GITHUB}repositories: {acme/shop: {folder: /a, commands: [[id]], env: {A: {file: '\${DIR}/key'}}}}`,
      { key: 'content\n' },
    )
    const config = loadConfig(file, { environment: { DIR: dirname(file) } })

    expect(config.repositories.get('acme/shop')?.environments.get('production')?.recipe.env).toEqual({
      A: { file: join(dirname(file), 'key') },
    })
    expect(config.secrets).toContain('content')
  })
})

test('every secret is known to the masker, also the passwords in addresses', () => {
  const { secrets } = load(
    `server: {api_token: 'api-token-api-token'}
database: 'postgres://me:p%40ss@db/x'
github: {webhook_secret: ['\${OLD}', new-secret-new-secret], token: '\${PREFIX}-token'}
slack: {webhook_url: 'https://hooks.example.org/T1'}
repositories:
  acme/shop:
    folder: /a
    commands: [[id]]
    env: {PLAIN: shown, TEMPLATE: 'x\${PREFIX}y', MY_TOKEN: literal-secret}
`,
    { environment: { OLD: 'old-secret-old-secret', PREFIX: 'prefix' } },
  )

  expect(secrets.toSorted()).toEqual(
    [
      'api-token-api-token',
      'postgres://me:p%40ss@db/x',
      'p%40ss',
      'p@ss',
      'old-secret-old-secret',
      'new-secret-new-secret',
      'prefix-token',
      'prefix',
      'https://hooks.example.org/T1',
      'literal-secret',
    ].toSorted(),
  )
})

describe('what a value stands for when the command starts', () => {
  const sources = { environment: { A: 'a' }, lookup: () => undefined }

  test('a literal, a template, a place in the configuration', () => {
    const { lookup } = load(
      `${GITHUB}repositories: {acme/shop: {folder: /a, commands: [[id]], env: {A_KEY_TOKEN: 'x$\${y'}}}`,
    )

    expect(resolveValue({ literal: '${A}' }, sources)).toBe('${A}')
    expect(resolveValue({ template: '<${A}> $${A}' }, sources)).toBe('<a> ${A}')
    expect(
      resolveValue(
        { config: ['repositories', 'acme/shop', 'env', 'A_KEY_TOKEN'] },
        { environment: {}, lookup },
      ),
    ).toBe('x${y')
  })

  test('a file is read at that moment', () => {
    const file = join(dirname(written('')), 'key')
    writeFileSync(file, 'one\r\n')
    expect(resolveValue({ file }, sources)).toBe('one')

    writeFileSync(file, 'two\n\n')
    expect(resolveValue({ file }, sources)).toBe('two\n')

    rmSync(file)
    expect(() => resolveValue({ file }, sources)).toThrow(
      `A value that the deployment was accepted with is gone: ${file} cannot be read: it does not exist.`,
    )
  })

  test('what is gone is named', () => {
    expect(() => resolveValue({ template: '${B}' }, sources)).toThrow(
      'A value that the deployment was accepted with is gone: the environment variable B is not set.',
    )
    expect(() => resolveValue({ config: PATH }, sources)).toThrow(
      'A value that the deployment was accepted with is gone: repositories.acme/shop.env.A is not in the configuration.',
    )
  })
})

test('the password of an address that is asked is hidden, wherever it stands, and its path is not', () => {
  const config = loadConfig(
    written(`${GITHUB}repositories:
  acme/shop:
    folder: /a
    commands: [[id]]
    health_check: {url: 'http://mona:\${WORD}@127.0.0.1/services/health'}
`),
    { environment: { WORD: 'hidden%20word' } },
  )

  expect(config.secrets).toEqual(expect.arrayContaining(['hidden%20word', 'hidden word']))
  expect(config.secrets).not.toContain('services/health')
})
