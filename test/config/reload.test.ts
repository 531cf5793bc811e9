import { mkdirSync, renameSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { describe, expect, onTestFinished, test, vi } from 'vitest'

import type { Config } from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/load.ts'
import { watchConfig } from '../../src/config/reload.ts'
import { messageOf } from '../../src/errors.ts'
import { folder, GITHUB, written } from './written.ts'

const text = (name: string, server = '{}'): string =>
  `server: ${server}\n${GITHUB}repositories: {acme/${name}: {folder: /a, commands: [[id]]}}\n`

function watch(file: string, environment: Record<string, string> = {}) {
  const seen: { configs: Config[]; notes: (readonly string[])[]; problems: string[]; unchanged: number } = {
    configs: [],
    notes: [],
    problems: [],
    unchanged: 0,
  }
  const watching = watchConfig({
    file,
    environment,
    current: loadConfig(file, { environment }),
    intervalMs: 20,
    onConfig(config, notes) {
      seen.configs.push(config)
      seen.notes.push(notes)
    },
    onSame: () => void (seen.unchanged += 1),
    onProblem: (problem) => void seen.problems.push(messageOf(problem)),
  })
  onTestFinished(() => watching.stop())
  return {
    ...watching,
    seen,
    names: () => seen.configs.map((config) => [...config.repositories.keys()].join()),
  }
}

const until = (claim: () => void): Promise<void> => vi.waitFor(claim, { timeout: 30_000, interval: 10 })

describe('the file is followed', () => {
  test('when it is written again', async () => {
    const file = written(text('one'))
    const { names } = watch(file)

    writeFileSync(file, text('two'))

    await until(() => expect(names()).toEqual(['acme/two']))
  })

  test('when another takes its name', async () => {
    const file = written(text('one'), { next: text('two') })
    const { names } = watch(file)

    renameSync(join(dirname(file), 'next'), file)

    await until(() => expect(names()).toEqual(['acme/two']))
  })

  test('when its time says that nothing was written, as where only its rights have changed', async () => {
    const file = written(text('one'))
    const { atime, mtime } = statSync(file)
    const { names } = watch(file)
    writeFileSync(file, text('two'))
    utimesSync(file, atime, mtime)
    await until(() => expect(names()).toEqual(['acme/two']))

    writeFileSync(file, text('six'))
    utimesSync(file, atime, mtime)

    await until(() => expect(names()).toEqual(['acme/two', 'acme/six']))
  })

  test('when a link in its path leads elsewhere', async () => {
    const root = folder()
    for (const name of ['one', 'two']) {
      mkdirSync(join(root, name))
      writeFileSync(join(root, name, 'config.yml'), text(name))
    }
    symlinkSync('one', join(root, 'now'))
    const { names } = watch(join(root, 'now', 'config.yml'))

    symlinkSync('two', join(root, 'next'))
    renameSync(join(root, 'next'), join(root, 'now'))

    await until(() => expect(names()).toEqual(['acme/two']))
  })
})

test('a wrong edit is named once and changes nothing; the next right one counts', async () => {
  const file = written(text('one'))
  const { seen, names } = watch(file)

  writeFileSync(file, 'github: 1\n')
  await until(() => expect(seen.problems).toHaveLength(1))
  expect(seen.problems[0]).toBe(
    `The configuration ${file} has 2 problems:\n` +
      'config.yml:1:1 github: expected a mapping with webhook_secret and token, got 1\n' +
      'config.yml:1:1 repositories: is missing: expected a mapping of repositories such as {acme/shop: {folder: /srv/shop}}',
  )

  writeFileSync(file, text('two'))
  await until(() => expect(names()).toEqual(['acme/two']))
  expect(seen.problems).toHaveLength(1)
})

test('a wrong edit that is undone is said to be over', async () => {
  const file = written(text('one'))
  const { seen } = watch(file)

  writeFileSync(file, 'github: 1\n')
  await until(() => expect(seen.problems).toHaveLength(1))
  writeFileSync(file, text('one'))

  await until(() => expect(seen.unchanged).toBe(1))
  expect(seen.configs).toEqual([])
})

test('a file that is gone is a problem, and what was in force stays', async () => {
  const file = written(text('one'))
  const { seen } = watch(file)

  rmSync(file)

  await until(() =>
    expect(seen.problems).toEqual([`The configuration ${file} cannot be read: it does not exist.`]),
  )
  expect(seen.configs).toEqual([])
})

describe('reading it again because somebody asks', () => {
  test('does nothing when it means the same, and says so', async () => {
    const file = written(text('one'))
    const { seen, reload } = watch(file)

    writeFileSync(file, `# a comment\n${text('one')}`)
    await reload()

    expect(seen).toEqual({ configs: [], notes: [], problems: [], unchanged: 1 })
  })

  test('says again what is wrong', async () => {
    const file = written(text('one'))
    const { seen, reload } = watch(file)

    writeFileSync(file, '')
    await reload()
    await reload()

    expect(seen.problems).toHaveLength(2)
  })

  test('takes up secrets that changed elsewhere', async () => {
    const file = written(
      `github: {webhook_secret: {file: secret}, token: t}\nrepositories: {acme/one: {folder: /a, commands: [[id]]}}\n`,
      { secret: 'the-first-secret-of-all' },
    )
    const { seen, reload } = watch(file)

    writeFileSync(join(dirname(file), 'secret'), 'the-second-secret-of-all')
    await reload()

    expect(seen.configs.map(({ github }) => github.webhookSecrets)).toEqual([['the-second-secret-of-all']])
  })
})

test('what needs a restart stays as it was, and is named once; a token is taken', async () => {
  const file = written(text('one'))
  const { seen, names, reload } = watch(file)

  writeFileSync(
    file,
    `data_dir: ./elsewhere\ndatabase: postgres://db/x\n${text('two', "{port: 1, api_token: 'new-token-new-token'}")}`,
  )
  await reload()
  await reload()

  expect(names()).toEqual(['acme/two'])
  expect(seen.configs[0]).toMatchObject({
    server: { port: 5000, apiToken: 'new-token-new-token' },
    dataDir: join(dirname(file), 'data'),
    database: undefined,
  })
  expect(seen.notes).toEqual([
    [
      'server.port has changed: that needs a restart',
      'data_dir has changed: that needs a restart',
      'database has changed: that needs a restart',
    ],
  ])
})

test('what onConfig throws is a problem too, told once, and it is asked until it takes the file', async () => {
  const file = written(text('one'))
  const problems: unknown[] = []
  const taken: boolean[] = []
  const { reload, stop } = watchConfig({
    file,
    environment: {},
    current: loadConfig(file, { environment: {} }),
    intervalMs: 20,
    onConfig() {
      taken.push(taken.length === 3)
      return taken.at(-1) === true ? Promise.resolve() : Promise.reject(new Error('no'))
    },
    onSame: () => {},
    onProblem: (problem) => void problems.push(problem),
  })
  onTestFinished(stop)

  writeFileSync(file, text('two'))
  await reload()
  expect(taken).toEqual([false])
  await until(() => expect(taken).toEqual([false, false, false, true]))
  await reload()

  expect(problems.map(messageOf)).toEqual(['no'])
  expect(taken).toHaveLength(4)
})

test('nothing is read after stop', async () => {
  const file = written(text('one'))
  const { seen, reload, stop } = watch(file)

  stop()
  writeFileSync(file, text('two'))
  await reload()

  expect(seen).toEqual({ configs: [], notes: [], problems: [], unchanged: 0 })
})
