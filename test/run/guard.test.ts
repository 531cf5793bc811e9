import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

import { describe, expect, onTestFinished, test } from 'vitest'

import type { ProcessRecord } from '../../src/deployment/deployment.ts'
import { startGuard } from '../../src/run/guard.ts'
import { markOf } from '../../src/run/mark.ts'
import { bootId, signal, startTicks, statOf } from '../../src/run/processes.ts'
import { command, eventually, isRunning, temporaryFolder } from '../support/running.ts'

let runs = 0
const freshRunId = (): string => `feed${process.pid.toString(16)}${(runs += 1).toString(16).padStart(4, '0')}`

/** A server of its own that runs one command; resolves with the record of the process and the next lines it prints. */
async function dyingServer(when: 'never' | 'at-once', ...argv: string[]) {
  const words = ['test/support/dying-server.ts', when, join(temporaryFolder(), 'pipe'), freshRunId(), ...argv]
  const server = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines = createInterface(server.stdout)[Symbol.asyncIterator]()
  const line = async (): Promise<string> => ((await lines.next()) as { value: string }).value
  const record = JSON.parse(await line()) as ProcessRecord
  onTestFinished(() => signal(-record.group, 'SIGKILL'))
  return { pid: server.pid, record, line, kill: () => killed(server) }
}

async function killed(server: ChildProcess): Promise<void> {
  const ended = once(server, 'exit')
  server.kill('SIGKILL')
  await ended
}

/** A process in a group of its own that carries a run id, until the test is over. */
function sleeper(runId = freshRunId()): ProcessRecord {
  const child = spawn('sleep', ['300'], {
    detached: true,
    stdio: 'ignore',
    env: { PATH: '/usr/bin:/bin', FERRYMAN_RUN_ID: runId },
  })
  const group = child.pid ?? 0
  onTestFinished(() => signal(-group, 'SIGKILL'))
  return { runId, group, bootId: bootId(), startTicks: startTicks(group) ?? '' }
}

describe('a server that is killed', () => {
  test.each([
    ['the launcher that waited', 'proof'],
    ['a launcher of its own', 'prüf'],
  ])('before %s is given the word has run nothing', async (_, name) => {
    const proof = join(temporaryFolder(), name)
    const server = await dyingServer('never', 'touch', proof)

    await server.kill()

    await eventually('the launcher is gone', () => !isRunning(server.record.group))
    expect(existsSync(proof)).toBe(false)
  })

  test('takes the launcher with it that waits for the next command', async () => {
    const server = await dyingServer('at-once', command('forever.sh'))
    const waiting = (): number[] =>
      readdirSync('/proc')
        .filter((name) => /^\d+$/.test(name))
        .map(Number)
        .filter((pid) => statOf(pid)?.parent === server.pid && statOf(pid)?.group !== server.record.group)
    await eventually('it waits beside the guard', () => waiting().length === 2)
    const pids = waiting()

    await server.kill()

    await eventually('both are gone', () => !pids.some(isRunning))
  })

  test('takes its commands with it, and what they started', async () => {
    const server = await dyingServer('at-once', command('leaves-child-and-waits.sh'))
    const child = Number((await server.line()).replace('left ', ''))

    await server.kill()

    await eventually('both are gone', () => !isRunning(server.record.group) && !isRunning(child))
  })

  test('takes with it what ignores TERM, and what took a session of its own', async () => {
    const server = await dyingServer(
      'at-once',
      'sh',
      '-c',
      `${command('takes-own-session.sh')}; exec ${command('ignores-term.sh')}`,
    )
    const daemon = Number((await server.line()).replace('daemon ', ''))
    const child = Number((await server.line()).replace('child ', ''))

    await server.kill()

    await eventually('all are gone', () =>
      [server.record.group, daemon, child].every((pid) => !isRunning(pid)),
    )
  }, 20_000)

  test('takes with it a command that emptied its environment', async () => {
    const server = await dyingServer('at-once', 'env', '-i', command('forever.sh'))
    await server.line()

    await server.kill()

    await eventually('it is gone', () => !isRunning(server.record.group))
  })
})

test('takes with it what gave up session, environment and output, too', async () => {
  const file = join(temporaryFolder(), 'pid')
  const escape = `setsid env -i sh -c 'sleep 300 & echo $! > ${file}' >/dev/null 2>&1`
  const server = await dyingServer('at-once', 'sh', '-c', `${escape}; echo gone; exec sleep 300`)
  await server.line()
  const pid = Number(readFileSync(file, 'utf8'))

  await server.kill()

  await eventually('it is gone', () => !isRunning(pid))
})

test('leaves alone what a process manager started with the environment of the run', async () => {
  const guard = startGuard()
  const record = sleeper()
  const manager = spawn('sh', ['-c', `FERRYMAN_RUN_ID=${record.runId} sleep 300 & echo $!; wait`], {
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  onTestFinished(() => signal(-(manager.pid ?? 0), 'SIGKILL'))
  const [line] = (await once(manager.stdout, 'data')) as [Buffer]
  guard.add(record)

  await guard.stop()

  expect(isRunning(record.group)).toBe(false)
  expect(isRunning(Number(line.toString()))).toBe(true)
})

test('what ended by itself is no longer guarded', async () => {
  const guard = startGuard()
  const ours = sleeper()
  guard.add(ours)
  guard.remove(ours)

  await guard.stop()

  expect(isRunning(ours.group)).toBe(true)
})

test('what is still listed when the guard is stopped ends with it', async () => {
  const guard = startGuard()
  const ours = sleeper()
  guard.add(ours)

  await guard.stop()

  expect(isRunning(ours.group)).toBe(false)
})

test('a group whose leader is dead ends with the guard, too, environment or not', async () => {
  const guard = startGuard()
  const runId = freshRunId()
  const script = `ulimit -S -m ${markOf(runId)}; env -i sleep 300 & echo $!`
  const leader = spawn('sh', ['-c', script], { detached: true, stdio: ['ignore', 'pipe', 'ignore'] })
  const group = leader.pid ?? 0
  const ticks = startTicks(group) ?? ''
  const [line] = (await once(leader.stdout, 'data')) as [Buffer]
  await eventually('the leader is dead', () => !isRunning(group))
  guard.add({ runId, group, bootId: bootId(), startTicks: ticks })

  await guard.stop()

  expect(isRunning(Number(line.toString()))).toBe(false)
})

test('a number that was given to somebody else since is left alone', async () => {
  const guard = startGuard()
  const stranger = sleeper()
  guard.add({ ...stranger, runId: freshRunId(), startTicks: String(Number(stranger.startTicks) - 1) })

  await guard.stop()

  expect(isRunning(stranger.group)).toBe(true)
})

test('a run id that is none is refused, since it becomes a pattern', () => {
  const guard = startGuard()
  onTestFinished(() => guard.stop())

  expect(() => guard.add({ ...sleeper(), runId: '' })).toThrow('Not a run id: ')
  expect(() => guard.add({ ...sleeper(), runId: 'ab .*' })).toThrow('Not a run id: ab .*')
})
