import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

import { describe, expect, inject, test } from 'vitest'

import { ferryman } from '../support/cli.ts'
import { serve, type Served } from '../support/journey.ts'
import { local, play, vaulted } from '../support/playbooks.ts'
import { eventually, isRunning } from '../support/running.ts'

const PASSWORD = 'correct-horse-battery-staple'
const dryRun = ({ configFile }: Served, ...words: string[]) =>
  ferryman(['dry-run', ...words, '-c', configFile])

const write = ({ directory }: Served, name: string, content: string): void =>
  writeFileSync(join(directory, name), content, { mode: 0o600 })
const writePlaybook = (world: Served, ...tasks: readonly object[]): void =>
  write(world, 'site.yml', JSON.stringify([{ ...play('all', ...tasks), vars_files: ['vars.yml'] }]))

/** A server with a playbook of one play, with these tasks. */
async function served(...tasks: readonly object[]): Promise<Served> {
  const world = await serve({
    isPrivate: false, // its token may only write deployments
    environment: { DB_PASSWORD: PASSWORD },
    repositories: {
      'acme/shop': {
        ansible_hosts: 'hosts.ini',
        ansible_playbook: 'site.yml',
        ansible: {
          limit: 'web1',
          extra_vars: { db_password: '${DB_PASSWORD}' },
          vault_password_file: 'vault.pass',
        },
        hooks: { before: [['touch', 'hooked']], after_success: [['touch', 'hooked']] },
        tasks: { mow: { folder: '.', commands: [['touch', 'hooked']] } },
        lane: 'shop',
        environments: { production: {}, staging: { ansible: { requirements: 'requirements.yml' } } },
      },
    },
  })
  write(world, 'hosts.ini', `${local('web1')}\n${local('web2')}\n`)
  write(world, 'vault.pass', 'open sesame\n')
  write(world, 'vars.yml', vaulted('from_vault: the vault is open', 'open sesame'))
  writePlaybook(world, ...tasks)
  return world
}

/** A task that is run even so, and takes its time; its process is written down. */
const WAITS = { command: `sh -c 'echo $$ > pid; exec sleep 300'`, check_mode: false }
const pidIn = async ({ directory }: Served): Promise<number> => {
  const file = join(directory, 'pid')
  await eventually('it runs', () => existsSync(file) && readFileSync(file, 'utf8').endsWith('\n'))
  return Number(readFileSync(file, 'utf8'))
}

describe.skipIf(!inject('ansible'))('a dry run', () => {
  test('says what a deployment would change, is none, and changes nothing', async () => {
    const content = '{{ from_vault }} at {{ ferryman.sha }} with {{ db_password }}\n'
    const world = await served({ copy: { content, dest: '{{ playbook_dir }}/made' } })

    const ran = await dryRun(world, 'acme/shop')
    expect(ran).toMatchObject({ code: 0, err: '' })
    expect(ran.out).toMatch(
      new RegExp(`^▸ acme/shop production: dry run of deploy ${world.sha} \\(main\\), asked for by \\S+\n`),
    )
    expect(ran.out).toMatch(/^▸ \$ ansible-playbook --check --diff -i \S+ --limit web1 .*-e db_password=… /m)
    expect(ran.out).toContain(`\n+the vault is open at ${world.sha} with •••\n`)
    expect(ran.out).toMatch(/\n▸ exit 0 .*\n▸ web1: ok=1 changed=1\n$/)
    expect(ran.out).not.toContain(PASSWORD)

    for (const name of ['made', 'hooked']) expect(existsSync(join(world.directory, name))).toBe(false)
    expect(world.repository.deployments).toEqual([])
    const runs = join(world.directory, 'data', 'runs')
    await eventually('nothing of the run is left', () => readdirSync(runs).length === 0) // the next launcher makes its pipe there
    const planned = await ferryman(['plan', 'acme/shop', 'staging', '-c', world.configFile])
    expect(planned.out).toMatch(
      /work +ansible-galaxy install -r \S+requirements\.yml\n +ansible-playbook -i /,
    )
    const task = await dryRun(world, 'acme/shop', '--task', 'mow')
    expect(task).toMatchObject({ code: 1, out: '' })
    expect(task.err).toContain(
      'There is no dry run of the task mow of acme/shop production: it runs no Ansible playbook',
    )

    writePlaybook(world, { fail: { msg: 'no room for {{ db_password }}' } })
    const git = (...words: string[]) =>
      execFileSync('git', ['-c', 'user.name=x', '-c', 'user.email=x@example.org', ...words], {
        cwd: world.directory,
      })
    git('init', '--quiet')
    git('commit', '--quiet', '--allow-empty', '-m', 'another')
    git('remote', 'add', 'origin', 'https://github.com/acme/shop.git')
    const failed = await dryRun(world, 'acme/shop', 'production', world.sha)
    expect(failed).toMatchObject({ code: 1, err: '' })
    expect(failed.out).toMatch(
      new RegExp(
        `^▸ \\S+ is at [0-9a-f]{7}, and not at ${world.sha.slice(0, 7)}: the playbook is tried as it`,
      ),
    )
    expect(failed.out).toContain('▸ web1: failed=1: no room for •••\n')

    rmSync(join(world.directory, 'data', 'runs'), { recursive: true })
    write(world, 'data/runs', 'in the way')
    const broken = await dryRun(world, 'acme/shop')
    expect(broken).toMatchObject({ code: 1, err: '' })
    expect(broken.out).toMatch(/\n▸ Ferryman failed: ENOTDIR/)
  })

  test('ends with whoever asked for it, and with the server', async () => {
    const world = await served(WAITS)
    const child = spawn(resolve('bin/ferryman'), ['dry-run', 'acme/shop', '-c', world.configFile])
    const first = await pidIn(world)
    child.kill('SIGINT')
    await once(child, 'close')
    await world.waitForJournal((line) => line.includes('dry-run:ended') && line.includes('cancelled'))
    expect(isRunning(first)).toBe(false)

    rmSync(join(world.directory, 'pid'))
    const unread = spawn(resolve('bin/ferryman'), ['dry-run', 'acme/shop', '-c', world.configFile])
    unread.stdout.destroy()
    expect(await once(unread, 'close')).toEqual([1, null])
    await eventually(
      'it is ended',
      () => world.journal.filter((l) => l.includes('dry-run:ended')).length === 2,
    )

    rmSync(join(world.directory, 'pid'), { force: true })
    const ran = dryRun(world, 'acme/shop')
    const second = await pidIn(world)
    await world.stop()
    expect(isRunning(second)).toBe(false)
    expect(await ran).toMatchObject({
      code: 1,
      out: expect.stringContaining('Ferryman is stopping') as string,
    })
  })
})
