import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'

import { describe, expect, inject, test } from 'vitest'

import { serve, type World } from '../support/journey.ts'
import { startMachines, type Machines } from '../support/machines.ts'

/** The example of docs/recipes.md, with another place to deploy to. */
const [, EXAMPLE = ''] = /```python\n([\s\S]*?)```/.exec(readFileSync('docs/recipes.md', 'utf8')) ?? []

function prepare({ folder }: World, there: Machines, knownHosts: string): void {
  const [web] = there.machines
  const fabfile = EXAMPLE.replace(
    /connection\.run\(f"git.*\n/,
    `connection.run(f"echo {sha} > ${web?.home}/release")\n`,
  ).replace(/ +connection\.run\("sudo.*\n/, '')
  writeFileSync(join(folder, 'fabfile.py'), fabfile)
  writeFileSync(join(folder, 'known_hosts'), knownHosts)
  writeFileSync(
    join(folder, 'ssh.config'),
    `Host web1\n  HostName 127.0.0.1\n  Port ${web?.port}\n  User ${userInfo().username}\n  IdentityFile ${there.key}\n`,
  )
}

const FAB = [['fab', '-S', 'ssh.config', '-H', 'web1', 'deploy', '--sha={sha}']]

describe.skipIf(!inject('fabric') || inject('sshd') === undefined)('Fabric', () => {
  test('deploys over ssh as docs/recipes.md shows it, and refuses a machine that it does not know', async () => {
    const there = await startMachines('web1')
    const trusted = readFileSync(there.knownHosts, 'utf8')
    const world = await serve({ commands: FAB, prepare: (one) => prepare(one, there, trusted) })

    await world.status(await world.deploy(), 'success')
    const release = join(there.machines[0]?.home ?? '', 'release')
    expect(readFileSync(release, 'utf8')).toBe(`${world.sha}\n`)

    writeFileSync(release, '')
    prepare(world, there, '')
    const refused = await world.deploy()
    await world.status(refused, 'failure')
    expect(world.statuses(refused).at(-1)).toMatch(/^failure: fab .* exited with 1/)
    expect(existsSync(release) && readFileSync(release, 'utf8')).toBe('')
  })
})
