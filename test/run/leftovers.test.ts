import { spawn } from 'node:child_process'
import { once } from 'node:events'

import { expect, inject, onTestFinished, test } from 'vitest'

import type { ProcessRecord } from '../../src/deployment/deployment.ts'
import { endLeftovers } from '../../src/run/leftovers.ts'
import { markOf } from '../../src/run/mark.ts'
import { bootId, signal, startTicks } from '../../src/run/processes.ts'
import { command, eventually, isRunning } from '../support/running.ts'

const asNobody = inject('limitable')
let runs = 0
const freshRunId = (): string => `cafe${process.pid.toString(16)}${(runs += 1).toString(16).padStart(4, '0')}`

/** Starts a program in a group of its own; resolves with its record and the first line that it prints. */
async function started(program: string, args: readonly string[] = [], runId = freshRunId()) {
  const child = spawn(program, args, {
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { PATH: '/usr/bin:/bin', FERRYMAN_RUN_ID: runId },
  })
  const group = child.pid ?? 0
  const record: ProcessRecord = { runId, group, bootId: bootId(), startTicks: startTicks(group) ?? '' }
  onTestFinished(() => signal(-group, 'SIGKILL'))
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  return { record, number: Number(/\d+/.exec(line.toString())?.[0]) }
}

test('ends the group of an earlier life, and what left it', async () => {
  const inGroup = await started(command('ignores-term.sh'))
  const outside = await started(command('takes-own-session.sh'))

  const { found, left } = await endLeftovers([inGroup.record, outside.record], 10_000)

  expect(left).toBeUndefined()
  expect(found).toBeGreaterThanOrEqual(3)
  for (const pid of [inGroup.record.group, inGroup.number, outside.number]) expect(isRunning(pid)).toBe(false)
})

test('ends a group that emptied its environment, known by its start', async () => {
  const { record } = await started('env', ['-i', command('forever.sh')])

  const { found, left } = await endLeftovers([record], 10_000)

  expect(left).toBeUndefined()
  expect(found).toBeGreaterThanOrEqual(1) // between two of its sleeps it has no child
  expect(isRunning(record.group)).toBe(false)
})

test('ends a group whose leader is dead, although its members gave up their environment', async () => {
  const runId = freshRunId()
  const script = `ulimit -S -m ${markOf(runId)}; env -i sleep 300 & echo "left $!"`
  const { record, number } = await started('sh', ['-c', script], runId)
  await eventually('the leader is dead', () => !isRunning(record.group))

  const { found, left } = await endLeftovers([record], 10_000)

  expect({ found, left }).toEqual({ found: 1, left: undefined })
  expect(isRunning(number)).toBe(false)
})

test('leaves the members of a group alone whose number was given to somebody else, and whose leader is dead', async () => {
  const { record: stranger, number } = await started(command('leaves-child.sh'))
  await eventually('the leader is dead', () => !isRunning(stranger.group))
  const recycled = { ...stranger, runId: freshRunId(), startTicks: String(Number(stranger.startTicks) - 1) }

  expect(await endLeftovers([recycled], 10_000)).toEqual({ found: 0, left: undefined })
  expect(isRunning(number)).toBe(true)
})

test('leaves a number alone that was given to somebody else since', async () => {
  const { record: stranger } = await started(command('forever.sh'))
  const recycled = { ...stranger, runId: freshRunId(), startTicks: String(Number(stranger.startTicks) - 1) }

  expect(await endLeftovers([recycled], 10_000)).toEqual({ found: 0, left: undefined })
  expect(isRunning(stranger.group)).toBe(true)
})

test('leaves everything alone that is from before a reboot', async () => {
  const { record } = await started(command('forever.sh'))

  expect(await endLeftovers([{ ...record, bootId: 'another' }], 10_000)).toEqual({
    found: 0,
    left: undefined,
  })
  expect(isRunning(record.group)).toBe(true)
})

/** What `endLeftovers` answers in a process of its own, started by these words. */
async function answerElsewhere(
  record: string,
  { as = [], env = {} }: { as?: readonly string[]; env?: object },
) {
  const script = `
    const { endLeftovers } = await import(${JSON.stringify(`${process.cwd()}/src/run/leftovers.ts`)})
    const { bootId, startTicks } = await import(${JSON.stringify(`${process.cwd()}/src/run/processes.ts`)})
    console.log(JSON.stringify(await endLeftovers([${record}], 200)))`
  const [program, ...words] = [...as, process.execPath, '--input-type=module', '-e', script]
  const child = spawn(program, words, {
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: '/usr/bin:/bin', ...env },
  })
  const [said] = (await once(child.stdout, 'data')) as [Buffer]
  return JSON.parse(said.toString()) as unknown
}

test('never ends the server itself, where a deployment of Ferryman had started it', async () => {
  const runId = freshRunId()
  const record = `{ runId: '${runId}', group: process.pid, bootId: bootId(), startTicks: startTicks(process.pid) }`

  const answer = await answerElsewhere(record, { env: { FERRYMAN_RUN_ID: runId } })

  expect(answer).toEqual({ found: 0 })
})

test.skipIf(asNobody === undefined || asNobody.length === 0)(
  'names what it may not end, since it is another user’s',
  async () => {
    const runId = freshRunId()
    const script = `ulimit -S -m ${markOf(runId)}; sleep 300 & echo "left $!"; wait`
    const { record, number } = await started('sh', ['-c', script], runId)

    const answer = await answerElsewhere(JSON.stringify(record), { as: asNobody ?? [] })

    expect(answer).toEqual({ found: 2, left: `sh (${record.group}), sleep (${number})` })
    expect([record.group, number].map(isRunning)).toEqual([true, true])
  },
)
