import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'

import { describe, expect, test } from 'vitest'

const GROUND = [
  'errors',
  'waker',
  'retry-after',
  'answer-limit',
  'pace',
  'deployment',
  'schedule',
  'config',
  'store',
  'github',
  'logs',
]
const STAGE = [...GROUND]

/** What each part of src may import, beside itself; a part that is not named here may import everything. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  version: [],
  waker: [],
  'retry-after': [],
  'answer-limit': [],
  pace: [],
  user: [],
  deployment: [],
  schedule: [],
  config: ['errors', 'deployment', 'schedule'],
  store: ['errors', 'deployment'],
  github: ['errors', 'deployment', 'retry-after', 'answer-limit', 'pace'],
  logs: ['errors', 'deployment', 'store'],
  receive: STAGE,
  decide: STAGE,
  queue: STAGE,
  run: STAGE,
  report: STAGE,
  web: GROUND,
}

const ONE_DOOR: Readonly<Record<string, readonly string[]>> = {
  fastify: ['web', 'receive'],
  kysely: ['store'],
  'kysely/migration': ['store'],
  pg: ['store'],
  'node:sqlite': ['store'],
  '@octokit/rest': ['github'],
  '@octokit/webhooks': ['receive'],
  '@slack/webhook': ['report'],
  execa: ['run'],
  picomatch: ['run'],
  yauzl: ['run'],
  aws4fetch: ['run'],
  'js-yaml': ['config'],
  croner: ['schedule'],
}

const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
const partOf = (file: string): string => (file.split('/')[0] ?? '').replace('.ts', '')

const importsOf = (text: string): string[] =>
  [
    ...text.matchAll(
      /(?:^|\n)(?:import|export)\s[^'"]*?from\s+'([^']+)'|import\('([^']+)'\)|(?:^|\n)import\s+'([^']+)'/g,
    ),
  ].map(([, from, dynamic, bare]) => from ?? dynamic ?? bare ?? '')

/** What breaks the rule in one file. */
function wrongImports(file: string, text: string): string[] {
  const part = partOf(file)
  return importsOf(text).flatMap((target) => {
    if (!target.startsWith('.')) {
      const doors = ONE_DOOR[target]
      return doors === undefined || doors.includes(part)
        ? []
        : [`only ${doors.join(' and ')} may import ${target}`]
    }
    const other = partOf(normalize(join(dirname(file), target)))
    const allowed = MAY_IMPORT[part]
    return allowed === undefined || other === part || allowed.includes(other)
      ? []
      : [`${part} must not import ${other}`]
  })
}

describe('the import rule', () => {
  test.each(files)('holds in %s', (file) => {
    expect(wrongImports(file, readFileSync(join('src', file), 'utf8'))).toEqual([])
  })

  test('sees a planted import', () => {
    const planted =
      "import type { A } from '../queue/worker.ts'\nimport {\n  execa,\n} from 'execa'\nawait import('../decide/decide.ts')"

    expect(wrongImports('report/x.ts', planted)).toEqual([
      'report must not import queue',
      'only run may import execa',
      'report must not import decide',
    ])
  })
})

test('nothing that a start needs imports node:http, and with it all of fetch', () => {
  const importing = files.filter((file) =>
    /^import (?!type )[^'"]*from 'node:http'/m.test(readFileSync(join('src', file), 'utf8')),
  )

  expect(importing.filter((file) => partOf(file) !== 'demo')).toEqual([])
})

test('every test of a file stands where its name says', () => {
  const mirrored = readdirSync('test', { recursive: true, encoding: 'utf8' })
    .filter((file) =>
      /^(config|decide|deployment|github|logs|queue|receive|report|run|schedule|store|web)\/.*\.test\.ts$/.test(
        file,
      ),
    )
    .map((file) => dirname(file))

  for (const folder of mirrored) expect(readdirSync('src')).toContain(folder.split('/')[0])
})
