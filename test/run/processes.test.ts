import { spawn } from 'node:child_process'
import { once } from 'node:events'

import { expect, onTestFinished, test } from 'vitest'

import { carriersOf, connectionsOf } from '../../src/run/processes.ts'
import { eventually } from '../support/running.ts'

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
