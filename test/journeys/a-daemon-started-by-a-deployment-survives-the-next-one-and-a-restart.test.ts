import { readFileSync } from 'node:fs'

import { expect, onTestFinished, test } from 'vitest'

import { markOn } from '../../src/run/mark.ts'
import { signal } from '../../src/run/processes.ts'
import { ferryman } from '../support/cli.ts'
import { API_TOKEN, createWorld, startProcess, type ServerProcess, type World } from '../support/journey.ts'
import { command, eventually, isRunning } from '../support/running.ts'

/** The first leaves something behind, the second does nothing, all others hang. */
const commandWhichFirst = (leaves: string): string[] => [
  'sh',
  '-c',
  `case $FERRYMAN_NUMBER in 1) exec ${command(leaves)} ;; 2) ;; *) echo "hangs $$"; exec sleep 300 ;; esac`,
]

async function logOf({ address }: ServerProcess, id: number): Promise<string> {
  const headers = { authorization: `Bearer ${API_TOKEN}` }
  const answer = await fetch(`${address}/deployments/${id}/log`, { headers })
  return answer.text()
}

/** Deploys what hangs; answers when it does. */
async function hang(world: World, server: ServerProcess, id: number) {
  const deployment = await world.deploy()
  const found = async () => /^.*hangs (\d+)$/m.exec(await logOf(server, id))
  await world.status(deployment, 'in_progress')
  await eventually('it hangs', async () => (await found()) !== null)
  return { deployment, pid: Number((await found())?.[1]) }
}

test.each([
  ['a daemon in a session of its own', 'takes-own-session.sh', false, ', in a session of its own'],
  ['what leave_processes keeps in its group', 'leaves-child.sh', true, ''],
])('%s is named, and survives the next one, a cancelled one, a restart and kill -9', async (...given) => {
  const [, leaves, leaveProcesses, where] = given
  const world = await createWorld({
    commands: [commandWhichFirst(leaves)],
    entry: { leave_processes: leaveProcesses },
  })
  const first = await startProcess(world)

  await world.status(await world.deploy(), 'success')
  const named = new RegExp(`▸ Still running${where}: sleep \\((\\d+)\\)$`, 'm').exec(await logOf(first, 1))
  const daemon = Number(named?.[1])
  onTestFinished(() => signal(daemon, 'SIGKILL'))
  const environment = readFileSync(`/proc/${daemon}/environ`, 'utf8')
  expect([/FERRYMAN_RUN_ID=\w+/.test(environment), markOn(daemon)]).toEqual([true, expect.any(String)])

  await world.status(await world.deploy(), 'success')
  expect(await logOf(first, 2)).not.toContain('Still running')
  expect(isRunning(daemon)).toBe(true)

  const third = await hang(world, first, 3)
  expect((await ferryman(['cancel', '3', '-c', world.configFile])).code).toBe(0)
  await world.status(third.deployment, 'error')
  expect([isRunning(third.pid), isRunning(daemon)]).toEqual([false, true])

  expect(await first.end('SIGTERM')).toBe(0)
  const second = await startProcess(world)
  const fourth = await hang(world, second, 4)
  expect(isRunning(daemon)).toBe(true)

  await second.end('SIGKILL')
  const last = await startProcess(world)
  await world.status(fourth.deployment, 'error')
  expect([isRunning(fourth.pid), isRunning(daemon)]).toEqual([false, true])
  await last.end('SIGTERM')
})
