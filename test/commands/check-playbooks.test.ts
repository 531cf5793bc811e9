import { chmodSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { describe, expect, inject, test } from 'vitest'

import { ferryman } from '../support/cli.ts'
import { local, play, vaulted } from '../support/playbooks.ts'
import { temporaryFolder } from '../support/running.ts'

const TOUCH = { command: 'touch {{ playbook_dir }}/touched' }

/** Checks a configuration with one playbook; answers the lines about it. */
async function check(
  plays: unknown,
  { entry = {}, files = {} }: { entry?: object; files?: Record<string, string> },
) {
  const folder = temporaryFolder()
  const all = {
    'site.yml': JSON.stringify(plays),
    'hosts.ini': `${local('web1')}\n${local('web2')}\n`,
    ...files,
  }
  for (const [name, content] of Object.entries(all)) {
    writeFileSync(join(folder, name), content)
    chmodSync(join(folder, name), 0o644)
  }
  const infrastructure = { ansible_hosts: 'hosts.ini', ansible_playbook: 'site.yml', ...entry }
  const config = {
    github: { webhook_secret: 'x'.repeat(20), token: 'x'.repeat(20) },
    repositories: { 'acme/infra': infrastructure },
  }
  writeFileSync(join(folder, 'config.yml'), JSON.stringify(config), { mode: 0o600 })
  const { code, out } = await ferryman(['check', '--offline', '-c', join(folder, 'config.yml')])
  const lines = out.replaceAll(folder, '<folder>').split('\n')
  return {
    code,
    lines: lines.slice(lines.findIndex((line) => line.includes(': folder <folder>')) + 1),
    folder,
  }
}

describe.skipIf(!inject('ansible'))('ferryman check reads a playbook', () => {
  test('and names the hosts that it means; none of its tasks runs', async () => {
    const { code, lines, folder } = await check([play('all', TOUCH), play('db', TOUCH)], {
      files: { 'ansible.cfg': '[defaults]\n' },
    })

    expect(lines.slice(0, 4)).toEqual([
      '✔ acme/infra production: <folder>/site.yml on web1, web2',
      "! acme/infra production: no host is meant by 'db'",
      '    Its play would be left out.',
      '! acme/infra production: Not used: <folder>/ansible.cfg. To use it, name it: ansible: {config: <folder>/ansible.cfg}',
    ])
    expect(code).toBe(0)
    expect(readdirSync(folder).toSorted()).toEqual(['ansible.cfg', 'config.yml', 'hosts.ini', 'site.yml'])
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith('ferryman-check-'))).toEqual([])
  })

  test('with its limit, its variables and its vault, and says what it waits for', async () => {
    const password = 'open sesame'
    const entry = {
      ansible: {
        limit: '{environment}',
        extra_vars: { where: 'web1' },
        vault_password_file: 'vault.pass',
      },
      environments: {
        web1: {},
        web2: { ansible: { requirements: 'requirements.yml' } },
      },
    }
    const { code, lines } = await check([{ ...play('{{ where }}', TOUCH), vars_files: ['vars.yml'] }], {
      entry,
      files: {
        'vault.pass': password,
        'vars.yml': vaulted('{a: 1}', password),
        'requirements.yml': '{"roles": []}',
      },
    })

    const end = lines.findIndex((line) => line.includes(' database '))
    expect(lines.slice(1, end)).toEqual([
      '✔ acme/infra web1: <folder>/site.yml on web1',
      '! acme/infra web1: Everybody on this machine may read <folder>/vault.pass: chmod 600 <folder>/vault.pass',
      '! acme/infra web2: <folder>/site.yml is read when the next deployment has installed what <folder>/requirements.yml names; all else that it needs is there',
      '    The running server tries both, and changes nothing: ferryman dry-run acme/infra web2',
      '! acme/infra web2: Everybody on this machine may read <folder>/vault.pass: chmod 600 <folder>/vault.pass',
    ])
    expect(code).toBe(0)
  })

  test.each<[string, unknown, object, RegExp]>([
    [
      'a playbook without hosts',
      [play('db', TOUCH)],
      {},
      /^✘ acme\/infra production: <folder>\/site\.yml means no host$/,
    ],
    [
      'a module that nobody has',
      [play('all', { nosuchmodule: {} })],
      {},
      /^✘ acme\/infra production: The playbook cannot be read: .*nosuchmodule/,
    ],
    [
      'a missing inventory',
      [play('all', TOUCH)],
      { ansible_hosts: 'gone.ini' },
      /^✘ acme\/infra production: There is no inventory <folder>\/gone\.ini\.$/,
    ],
    [
      'a vault without its password',
      [play('all', TOUCH)],
      { ansible: { vault_password_file: 'gone.pass' } },
      /^✘ acme\/infra production: ansible\.vault_password_file: <folder>\/gone\.pass cannot be read: it does not exist\.$/,
    ],
    [
      'a limit that means no host',
      [play('all', TOUCH)],
      { ansible: { limit: 'db' } },
      /^✘ acme\/infra production: ansible-playbook exited with 1: .*--limit leaves us with no hosts to target/,
    ],
    [
      'a machine without Ansible',
      [play('all', TOUCH)],
      { env: { PATH: '/nowhere' } },
      /^✘ acme\/infra production: Command not found: ansible-playbook\. Install Ansible/,
    ],
  ])('%s is named as wrong', async (_, plays, entry, line) => {
    const { code, lines } = await check(plays, { entry })

    expect(lines[0]).toMatch(line)
    expect(lines[1]).toMatch(/^ {4}\S/)
    expect(code).toBe(1)
  })

  test('and says once that its folder is missing', async () => {
    const { lines } = await check([play('all', TOUCH)], { entry: { folder: '/nowhere' } })

    expect(lines.filter((line) => line.includes('/nowhere'))).toEqual([
      '✘ acme/infra production: The folder /nowhere does not exist',
    ])
  })
})
