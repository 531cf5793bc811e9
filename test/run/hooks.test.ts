import { mkdirSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, onTestFinished, test } from 'vitest'

import { NO_HOOKS, type Hook } from '../../src/deployment/recipe.ts'
import type { Stop } from '../../src/run/limits.ts'
import type { RunParts } from '../../src/run/parts.ts'
import { recipe } from '../support/samples.ts'
import { isRunning, runFor, temporaryFolder } from '../support/running.ts'

const sh = (script: string): Hook => ({ command: ['sh', '-c', script] })

/** Runs commands with hooks around them, in a folder that the test knows. */
const runWith = (
  hooks: Partial<typeof NO_HOOKS>,
  { folder, commands = [['true']], parts, ...limits }: GivenHooks,
) =>
  runFor({
    commands: [],
    ...(parts === undefined ? {} : { parts }),
    deployment: { recipe: recipe({ folder, commands, ...limits, hooks: { ...NO_HOOKS, ...hooks } }) },
  })

interface GivenHooks {
  readonly folder: string
  readonly commands?: readonly (readonly string[])[]
  readonly timeoutSeconds?: number
  readonly parts?: Partial<RunParts>
}

test('hooks that follow the work change nothing about its result, and all of them run', async () => {
  const folder = temporaryFolder()
  const { result, log } = await runWith(
    {
      afterSuccess: [sh('exit 4'), sh('echo "$FERRYMAN_HOOK $FERRYMAN_RESULT" > told')],
      afterFailure: [sh('touch never')],
    },
    { folder },
  )

  expect(result.state).toBe('succeeded')
  expect(readFileSync(join(folder, 'told'), 'utf8')).toBe('after_success succeeded\n')
  expect(existsSync(join(folder, 'never'))).toBe(false)
  expect(log).toContain('A hook failed; the deployment has succeeded all the same.')
  expect(result.steps.map(({ hook, exitCode }) => [hook, exitCode])).toEqual([
    [undefined, 0],
    ['after_success', 4],
    ['after_success', 0],
  ])
})

test('a hook after the work that hangs is ended by its own limit, and the result stays', async () => {
  const folder = temporaryFolder()
  const { result, log } = await runWith(
    { afterSuccess: [sh('sleep 600'), sh('touch never')], timeoutSeconds: 0.5 },
    { folder },
  )

  expect(result.state).toBe('succeeded')
  expect(log).toContain('The time limit of 0.5 s for hooks was reached in ')
  expect(existsSync(join(folder, 'never'))).toBe(false)
})

test('a failure by the limit is told to the hooks, with the lines of the command and not of the hook', async () => {
  const folder = temporaryFolder()
  const { result } = await runWith(
    { afterFailure: [sh('echo of-the-hook; echo "$FERRYMAN_REASON: $FERRYMAN_DETAIL" > told')] },
    { folder, commands: [['sh', '-c', 'echo of-the-command; sleep 600']], timeoutSeconds: 0.5 },
  )

  expect(result).toMatchObject({ state: 'failed', reason: 'timed_out', lastLines: ['of-the-command'] })
  expect(readFileSync(join(folder, 'told'), 'utf8')).toMatch(
    /^timed_out: The time limit of 0.5 s was reached in /,
  )
})

test('what a person takes back is told to no hook', async () => {
  const folder = temporaryFolder()
  const ending = new AbortController()
  const stop: Stop = { kind: 'by_person', detail: 'Cancelled by mona.' }
  const running = runWith(
    { afterFailure: [sh('touch never')], afterSuccess: [sh('touch never')] },
    {
      folder,
      commands: [['sh', '-c', 'sleep 600']],
      parts: { signal: ending.signal, workBegins: async () => ending.abort(stop) },
    },
  )

  expect((await running).result).toMatchObject({ state: 'cancelled', reason: 'by_person' })
  expect(existsSync(join(folder, 'never'))).toBe(false)
})

test('a command may fail where the next one is to begin all the same; its own limit ends it before the others', async () => {
  const folder = temporaryFolder()
  const { result, log } = await runFor({
    commands: [],
    deployment: {
      recipe: recipe({
        folder,
        commands: [
          { words: ['sh', '-c', 'exit 7'], continueOnError: true },
          { words: ['no-such-program'], name: 'warm the cache', continueOnError: true },
          { words: ['sleep', '600'], name: 'wait for ever', timeoutSeconds: 0.5 },
          ['touch', 'never'],
        ],
      }),
    },
  })

  expect(result).toMatchObject({
    state: 'failed',
    reason: 'timed_out',
    detail: 'Its time limit of 0.5 s was reached in sleep 600.',
  })
  expect(log).toContain('$ sleep 600  # wait for ever')
  expect(result.steps.map(({ label, exitCode }) => [label, exitCode])).toEqual([
    [undefined, 7],
    ['warm the cache', undefined],
    ['wait for ever', undefined],
  ])
  expect(existsSync(join(folder, 'never'))).toBe(false)
})

test('of a long path the end is told, which says what has failed', async () => {
  const folder = join(temporaryFolder(), 'a-folder-with-a-name-that-says-it-all')
  mkdirSync(folder)
  writeFileSync(join(folder, 'migrate'), '#!/bin/sh\necho no such table\nexit 1\n', { mode: 0o755 })
  const { result } = await runWith({}, { folder, commands: [[join(folder, 'migrate'), 'x']] })

  expect(result).toMatchObject({
    detail: '…er-with-a-name-that-says-it-all/migrate exited with 1: no such table',
  })
})

test('a folder of hooks that is not there lets nothing begin', async () => {
  const folder = temporaryFolder()
  const { result } = await runWith(
    { afterFailure: [{ folder: join(folder, 'post-update.d') }] },
    { folder, commands: [['touch', 'never']] },
  )

  expect(result).toMatchObject({ state: 'failed', reason: 'folder_missing' })
  expect(existsSync(join(folder, 'never'))).toBe(false)
})

/** A process that took a session of its own, as daemons do, and lives for a while. */
const DAEMON = ['sh', '-c', 'setsid sleep 300 & echo $! > daemon; sleep 0.2']
const daemonIn = (folder: string): number => Number(readFileSync(join(folder, 'daemon'), 'utf8'))

test.each([
  {
    what: 'a hook that hangs',
    hooks: { afterSuccess: [sh('sleep 600')], timeoutSeconds: 0.5 },
    commands: [DAEMON],
  },
  {
    what: 'a command that may fail',
    hooks: {},
    commands: [DAEMON, { words: ['sleep', '600'], timeoutSeconds: 0.5, continueOnError: true }],
  },
])('$what is ended alone: what the deployment has started lives on', async ({ hooks, commands }) => {
  const folder = temporaryFolder()
  const { result, log } = await runFor({
    commands: [],
    deployment: { recipe: recipe({ folder, commands, hooks: { ...NO_HOOKS, ...hooks } }) },
  })

  const daemon = daemonIn(folder)
  onTestFinished(() => void process.kill(daemon, 'SIGKILL'))
  expect(result.state).toBe('succeeded')
  expect(log).toContain(`Still running, in a session of its own: sleep (${daemon})`)
  expect(isRunning(daemon)).toBe(true)
})

test('a run that ends early ends what every step has left, also one that could fail', async () => {
  const folder = temporaryFolder()
  const { result } = await runFor({
    commands: [],
    deployment: {
      recipe: recipe({
        folder,
        commands: [{ words: DAEMON, continueOnError: true }, ['sleep', '600']],
        timeoutSeconds: 1.5,
      }),
    },
  })

  expect(result).toMatchObject({ state: 'failed', reason: 'timed_out' })
  expect(isRunning(daemonIn(folder))).toBe(false)
})
