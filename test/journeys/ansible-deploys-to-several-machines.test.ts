import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { describe, expect, inject, onTestFinished, test } from 'vitest'

import { ferryman } from '../support/cli.ts'
import { serve, type Given, type Served } from '../support/journey.ts'
import { startMachines, type Machines } from '../support/machines.ts'
import { play, roleRepository, vaulted } from '../support/playbooks.ts'
import { eventually, isRunning } from '../support/running.ts'

/** Puts the commit in place on every machine, as a real one would, and says what is there. */
const INSTALL = [
  { copy: { content: '{{ ferryman.sha }}', dest: '{{ home }}/release' } },
  { command: 'cat {{ home }}/release', register: 'installed' },
  { set_stats: { data: { ferryman_deployed_sha: '{{ installed.stdout }}' }, per_host: true } },
]

/** A server whose repository is deployed to these machines by a playbook. */
async function serveTo(
  { inventory }: Machines,
  tasks: readonly object[],
  entry: object = {},
): Promise<Served> {
  const world = await serve({ entry: {}, ...repositories(entry) })
  writeFileSync(join(world.directory, 'hosts.ini'), inventory)
  writeFileSync(join(world.directory, 'site.yml'), JSON.stringify([play('all', ...tasks)]))
  return world
}

const repositories = (entry: object): Given => ({
  repositories: { 'acme/shop': { ansible_hosts: 'hosts.ini', ansible_playbook: 'site.yml', ...entry } },
})

/** The processes of ssh that belong to this server's runs. */
const connections = ({ directory }: Served): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const title = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
        return /^ssh[\0:]/.test(title) && title.includes(`${directory}/data/`)
      } catch {
        return false
      }
    })

describe.skipIf(!inject('ansible') || inject('sshd') === undefined)('Ansible over ssh', () => {
  test('deploys to two machines, and everybody hears how each fared', { timeout: 90_000 }, async () => {
    const there = await startMachines('web1', 'web2')
    const world = await serveTo(there, INSTALL)

    const deployment = await world.deploy()
    await world.status(deployment, 'success')
    const message = await world.slack.waitFor(({ text }) => text?.startsWith('Deployed') ?? false)

    for (const { home } of there.machines) expect(readFileSync(join(home, 'release'), 'utf8')).toBe(world.sha)
    expect(world.statuses(deployment).at(-1)).toMatch(
      /^success: Deployed [0-9a-f]{7} to 2 hosts, in .* \(acme\/shop\/production#1\)$/,
    )
    expect(JSON.stringify(message)).toContain(
      String.raw`web1  ok=3 changed=2 unreachable=0 failed=0\nweb2  ok=3 changed=2 unreachable=0 failed=0`,
    )
    const log = await world.log(1, '?colours=1')
    expect(log).toContain('\u001b[0;33mchanged: [web1]')
    expect(log).toMatch(/▸ web1: ok=3 changed=2\n\S+▸ web2: ok=3 changed=2\n$/)
    expect(connections(world)).toEqual([])
    const runs = join(world.directory, 'data', 'runs')
    await eventually('nothing of the run is left', () => readdirSync(runs).length === 0) // the next launcher makes its pipe there
  })

  test(
    'with roles, tags, variables, a vault and Galaxy, where it is limited to',
    { timeout: 120_000 },
    async () => {
      const there = await startMachines('web1', 'web2')
      const trap = `{{ lookup('pipe','touch ${there.machines[0]?.home}/pwned') }} "it's" $(id)`
      const world = await serve({
        environment: { DB_PASSWORD: 'hunter2hunter2' },
        repositories: {
          'acme/shop': {
            ansible_hosts: 'hosts.ini',
            ansible_playbook: 'site.yml',
            ansible: {
              tags: ['deploy'],
              skip_tags: ['slow'],
              extra_vars: { greeting: trap, db: { password: '${DB_PASSWORD}', ports: [5432] } },
              vault_password_file: 'vault.pass',
              requirements: 'requirements.yml',
            },
            environments: {
              canary: { ansible: { limit: 'web1', extra_vars: { greeting: 'tweet' } } },
              production: {},
            },
          },
        },
      })
      const put = (name: string, content: string) => {
        writeFileSync(join(world.directory, name), content, { mode: 0o600 })
      }
      put('hosts.ini', there.inventory)
      put(
        'site.yml',
        JSON.stringify([
          { hosts: 'all', gather_facts: false, vars_files: ['vars.yml'], roles: ['release', 'greet'] },
        ]),
      )
      put('vault.pass', 'open sesame\n')
      put('vars.yml', vaulted('from_vault: the vault is open', 'open sesame'))
      put(
        'requirements.yml',
        JSON.stringify([
          roleRepository('greet', [
            { copy: { content: '{{ greeting }}', dest: '{{ home }}/greeting' }, tags: 'deploy' },
          ]),
        ]),
      )
      mkdirSync(join(world.directory, 'roles/release/tasks'), { recursive: true })
      put(
        'roles/release/tasks/main.yml',
        JSON.stringify([
          {
            copy: {
              content: '{{ ferryman.sha }} {{ from_vault }} {{ db | to_json }}',
              dest: '{{ home }}/release',
            },
            tags: 'deploy',
          },
          { debug: { msg: 'the password is {{ db.password }}' }, tags: 'deploy' },
          { file: { path: '{{ home }}/slow', state: 'touch' }, tags: ['deploy', 'slow'] },
          { file: { path: '{{ home }}/other', state: 'touch' } },
        ]),
      )
      const [web1 = '', web2 = ''] = there.machines.map(({ home }) => home)

      const canary = await world.deploy({ environment: 'canary' })
      await world.status(canary, 'success')
      expect(readdirSync(web1).toSorted()).toEqual(['greeting', 'release'])
      expect(readFileSync(join(web1, 'greeting'), 'utf8')).toBe('tweet')
      expect(readdirSync(web2)).toEqual([])
      const production = await world.deploy()
      await world.status(production, 'success')

      for (const home of [web1, web2]) {
        expect(readdirSync(home).toSorted()).toEqual(['greeting', 'release'])
        expect(readFileSync(join(home, 'greeting'), 'utf8')).toBe(trap)
        expect(readFileSync(join(home, 'release'), 'utf8')).toBe(
          `${world.sha} the vault is open {"password": "hunter2hunter2", "ports": [5432]}`,
        )
      }
      const logs = await Promise.all([1, 2].map((id) => world.log(id)))
      expect(logs.map((log) => log.includes('$ ansible-galaxy install -r '))).toEqual([true, true])
      expect(logs[0]).toMatch(
        /\$ ansible-playbook -i \S+ --limit web1 --tags deploy --skip-tags slow --vault-password-file \S+ -e greeting=… -e db=… /,
      )
      expect(logs.join('')).toContain('the password is ')
      expect(logs.join('')).not.toMatch(/hunter2|open sesame/)
      expect(connections(world)).toEqual([])
    },
  )

  test('with a machine that is down fails, names it, and has deployed to the other', async () => {
    const there = await startMachines('web1', 'web2')
    const world = await serveTo(there, INSTALL)
    const [web1, web2] = there.machines
    await web2?.stop()

    const deployment = await world.deploy()
    await world.status(deployment, 'failure')
    const message = await world.slack.waitFor(({ text }) => text?.startsWith('Could not') ?? false)

    expect(existsSync(join(web1?.home ?? '', 'release'))).toBe(true)
    expect(world.statuses(deployment).at(-1)).toMatch(
      /^failure: web2: unreachable=1: Failed to connect to the host via ssh: .*refused/,
    )
    expect(JSON.stringify(message)).toContain(
      String.raw`web2  ok=0 changed=0 unreachable=1 failed=0\nweb1  ok=3 changed=2 unreachable=0 failed=0`,
    )
    expect(connections(world)).toEqual([])
  })

  test('does not talk to a machine whose key nobody knows', async () => {
    const there = await startMachines('web1')
    writeFileSync(there.knownHosts, '')
    const world = await serveTo(there, INSTALL)

    const deployment = await world.deploy()
    await world.status(deployment, 'failure')

    expect(world.statuses(deployment).at(-1)).toMatch(
      /^failure: web1: unreachable=1: .*Host key verification failed/,
    )
    expect(readdirSync(there.machines[0]?.home ?? '')).toEqual([])
  })

  test('that is cancelled leaves no connection behind', async () => {
    const there = await startMachines('web1', 'web2')
    const slow = { command: `sh -c 'echo $$ > {{ home }}/pid; exec sleep 100'` }
    const world = await serveTo(there, [slow])
    const pids = () => there.machines.map(({ home }) => Number(readFileSync(join(home, 'pid'), 'utf8')))
    onTestFinished(() => {
      // Work that has begun on another machine goes on there, and is beyond us.
      for (const pid of pids()) if (isRunning(pid)) process.kill(pid)
    })

    const deployment = await world.deploy()
    await eventually('both tasks run', () =>
      there.machines.every(({ home }) => existsSync(join(home, 'pid'))),
    )
    expect(connections(world).length).toBeGreaterThan(1)
    await ferryman(['cancel', '1', '-c', world.configFile])
    await world.status(deployment, 'error')

    expect(world.statuses(deployment).at(-1)).toMatch(/^error: Cancelled by /)
    expect(connections(world)).toEqual([])
  })
})
