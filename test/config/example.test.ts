import { readFileSync } from 'node:fs'

import { Ajv } from 'ajv'
import { load } from 'js-yaml'
import { describe, expect, test } from 'vitest'

import { jsonSchemaText } from '../../src/config/json-schema.ts'
import { loadConfig } from '../../src/config/load.ts'
import { YAML_SCHEMA } from '../../src/config/positions.ts'
import { keysAt } from '../../src/config/schema.ts'

const EXAMPLE = readFileSync('config.example.yml', 'utf8')
const SCHEMA = readFileSync('config.schema.json', 'utf8')

describe('config.example.yml', () => {
  test('is valid as it stands, when its variables are set', () => {
    const names = [...EXAMPLE.matchAll(/^(?!\s*#).*\$\{(\w+)\}/gm)].map(([, name = '']) => name)
    const environment = Object.fromEntries(names.map((name) => [name, `https://example.org/${name}`]))

    const config = loadConfig('config.example.yml', { environment })

    expect(config.warnings).toEqual([])
    expect([...config.repositories.keys()]).toEqual([
      'acme/shop',
      'acme/blog',
      'acme/backend',
      'acme/backend-docs',
      'acme/site',
      'acme/app',
      'acme/web',
      'tools/dashboard',
      'acme/infrastructure',
    ])
  })

  const entry = ['repositories', 'acme/shop']
  test.each([
    ...(keysAt([]) ?? []).map((key) => ({ key, indent: 0 })),
    ...['server', 'github', 'slack', 'retention'].flatMap((section) =>
      (keysAt([section]) ?? []).map((key) => ({ key, indent: 2 })),
    ),
    ...(keysAt(['log_to']) ?? []).map((key) => ({ key, indent: 2 })),
    ...(keysAt(entry) ?? []).map((key) => ({ key, indent: 4 })),
    ...(keysAt([...entry, 'environments', 'production']) ?? [])
      .filter((key) => keysAt(entry)?.includes(key) !== true)
      .map((key) => ({ key, indent: 8 })),
    ...(keysAt([...entry, 'workspace']) ?? []).map((key) => ({ key, indent: 6 })),
    ...(keysAt([...entry, 'releases']) ?? []).map((key) => ({ key, indent: 6 })),
    ...(keysAt([...entry, 'source']) ?? []).map((key) => ({ key, indent: 6 })),
    ...(keysAt([...entry, 'heroku']) ?? []).map((key) => ({ key, indent: 6 })),
    ...(keysAt([...entry, 'ansible']) ?? []).map((key) => ({ key, indent: 6 })),
    ...(keysAt([...entry, 'notify']) ?? []).map((key) => ({ key, indent: 6 })),
    ...(keysAt([...entry, 'notify', 'slack']) ?? []).map((key) => ({ key, indent: 8 })),
  ])('explains $key in a comment above it', ({ key, indent }) => {
    const lines = EXAMPLE.split('\n')
    const at = lines.findIndex((line) => new RegExp(`^(?: {${indent}}|\\s*#\\s+|# )${key}:`).test(line))

    expect(at).toBeGreaterThan(0)
    expect(lines.slice(Math.max(0, at - 8), at).some((line) => line.trim().startsWith('#'))).toBe(true)
  })

  test('points editors to the schema', () => {
    expect(EXAMPLE.split('\n')[0]).toBe('# yaml-language-server: $schema=./config.schema.json')
  })
})

describe('config.schema.json', () => {
  test('is what the schema says now (npm run schema)', () => {
    expect(SCHEMA).toBe(jsonSchemaText())
  })

  const accepts = new Ajv({ strict: false, allErrors: true }).compile(JSON.parse(SCHEMA) as object)

  test('accepts the example, and free keys', () => {
    accepts(load(EXAMPLE, { schema: YAML_SCHEMA }))

    expect(accepts.errors).toBeNull()
  })

  test.each([
    'server: {prt: 1}',
    'github: {webhook_secret: 5, token: t}',
    'repositories: {shop: {}}',
    'repositories: {acme/shop: {timeout: []}}',
    'repositories: {acme/shop: {env: {A-B: c}}}',
  ])('refuses %s', (wrong) => {
    const rest = { github: { webhook_secret: 's', token: 't' }, repositories: {} }

    expect(accepts({ ...rest, ...(load(wrong) as object) })).toBe(false)
  })
})
