import { spawn } from 'node:child_process'
import { once } from 'node:events'

import { describe, expect, onTestFinished, test } from 'vitest'

import { markOf, shownMarkOf } from '../../src/run/mark.ts'
import { carriersOf, connectionsOf, signal, startTicks, statOf } from '../../src/run/processes.ts'
import { eventually, isRunning } from '../support/running.ts'

test('a waiting connection of ssh belongs to the run whose folder its title names', async () => {
  const title = (runId: string) => `ssh: /var/lib/ferryman/runs/${runId}/ssh/0123456789 [mux]`
  const start = (name: string): number => {
    const child = spawn('bash', ['-c', 'exec -a "$1" sleep 60', 'bash', name], { stdio: 'ignore', env: {} })
    onTestFinished(async () => {
      child.kill('SIGKILL')
      await once(child, 'exit')
    })
    return child.pid ?? 0
  }
  const ours = start(title('aaaa1111'))
  start(title('bbbb2222'))
  start('tail -f /var/lib/ferryman/runs/aaaa1111/ssh [mux]')

  await eventually('it has its title', () => connectionsOf('aaaa1111').length > 0)

  expect(connectionsOf('aaaa1111')).toEqual([ours])
  expect(carriersOf('aaaa1111')).toEqual([ours])
})

/** A process with this environment, until the test is over; `script` says what it is and does. */
async function started(script: string, env: Record<string, string> = {}): Promise<number> {
  const child = spawn('sh', ['-c', script], {
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { PATH: '/usr/bin:/bin', ...env },
  })
  onTestFinished(() => signal(-(child.pid ?? 0), 'SIGKILL'))
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  return Number(line.toString())
}

describe('who is of a run', () => {
  const OURS = 'abcd00000001'
  const OTHER = 'abcd00000002'
  const bear = (runId: string) => `ulimit -S -m ${markOf(runId)}`
  const SLEEP = 'echo $$; exec sleep 300'

  test('whoever bears its mark, although nothing else ties it to the run', async () => {
    const marked = await started(`${bear(OURS)}; ${SLEEP}`)

    expect(carriersOf(OURS)).toEqual([marked])
    expect(carriersOf(OTHER)).toEqual([])
  })

  test('nobody who is older than the run, where it is known since when there is one', async () => {
    const marked = await started(`${bear(OURS)}; ${SLEEP}`)
    const since = Number(startTicks(marked))

    expect(carriersOf(OURS, undefined, since)).toEqual([marked])
    expect(carriersOf(OURS, undefined, since + 1)).toEqual([])
  })

  test('not what a daemon of another run starts with our environment', async () => {
    await started(`${bear(OTHER)}; ${SLEEP}`, { FERRYMAN_RUN_ID: OURS })

    expect(carriersOf(OURS)).toEqual([])
  })

  test('not what a process manager starts with our environment, nor what comes from that', async () => {
    const child = `FERRYMAN_RUN_ID=${OURS} sh -c "echo \\$\\$; sleep 300"`
    const pid = await started(`sh -c '${child.replaceAll("'", '')} & wait'`)

    expect(isRunning(pid)).toBe(true)
    expect(carriersOf(OURS)).toEqual([])
  })

  test('what carries its id where there are no marks, also when its parent is gone', async () => {
    const pid = await started(`setsid sh -c "echo \\$\\$; sleep 300" & exit`, { FERRYMAN_RUN_ID: OURS })
    onTestFinished(() => signal(-pid, 'SIGKILL'))

    const found = carriersOf(OURS)

    expect(found).toContain(pid)
    expect(found.every((one) => statOf(one)?.group === pid)).toBe(true)
  })

  test('a mark is a number that no memory reaches, and each run has another', () => {
    expect(BigInt(shownMarkOf('ffffffffffffffff'))).toBeLessThan(2n ** 63n)
    expect(BigInt(shownMarkOf('0'))).toBe(2n ** 62n)
    expect(markOf(OURS)).not.toBe(markOf(OTHER))
  })
})

test('a run that flees from one process to the next is seen at every look', async () => {
  const runId = 'fade0001'
  const flee = 'sh -c "$0" "$0" &'
  const fleeing = spawn('sh', ['-c', `ulimit -S -m ${markOf(runId)}; ${flee}`, flee], { stdio: 'ignore' })
  onTestFinished(() => eventually('it is caught', () => carriersOf(runId, kill).length === 0))
  await once(fleeing, 'exit')

  const looks = Array.from({ length: 30 }, () => carriersOf(runId).length)

  expect(looks).not.toContain(0)
})

const kill = (pid: number): void => signal(pid, 'SIGKILL')
