import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'

import { describe, expect, inject, test } from 'vitest'

import { NO_HOOKS, type Hook } from '../../../src/deployment/recipe.ts'
import { readRequirements } from '../../../src/run/ansible/galaxy.ts'
import { playbookStep, TRIAL } from '../../../src/run/ansible/playbook.ts'
import {
  collectionRepository,
  local,
  play,
  roleRepository,
  runPlaybook,
  vaulted,
} from '../../support/playbooks.ts'
import { temporaryFolder } from '../../support/running.ts'
import { playbookRecipe } from '../../support/samples.ts'

const OK = { debug: { msg: 'hello' } }
const HOSTS = [local('web1'), local('web2')]

/** A task of this machine that leaves a file beside the playbook. */
const leaves = (name: string, more: object = {}) => ({
  file: { path: `{{ playbook_dir }}/${name}`, state: 'touch' },
  ...more,
})

describe('the command line of a playbook', () => {
  test('has every option as one word, and a name without what is private', () => {
    const recipe = playbookRecipe({
      options: {
        limit: '-web1:!web3',
        tags: ['deploy', 'a b'],
        skipTags: ['slow'],
        extraVars: { port: { plain: 80 }, password: { text: { template: '${PASSWORD}' } } },
        vaultPasswordFile: '/etc/vault.pass',
        requirements: '/srv/shop/requirements.yml',
        config: '/srv/shop/ansible.cfg',
      },
    })

    const { name, argv } = playbookStep(recipe, '/private', ['--syntax-check'])

    expect(argv).toEqual([
      'ansible-playbook',
      '--syntax-check',
      '--inventory=/srv/shop/hosts.ini',
      '--extra-vars=@/private/variables.yml',
      '--vault-password-file=/private/vault-password',
      '--limit=-web1:!web3',
      '--tags=deploy,a b',
      '--skip-tags=slow',
      '--',
      '/srv/shop/site.yml',
    ])
    expect(name).toBe(
      `ansible-playbook --syntax-check -i /srv/shop/hosts.ini --limit '-web1:!web3' --tags 'deploy,a b' --skip-tags slow --vault-password-file /etc/vault.pass -e port=… -e password=… /srv/shop/site.yml`,
    )
  })
})

describe.skipIf(!inject('ansible'))('a playbook', () => {
  test('works on the hosts within its limit, and runs what its tags say', async () => {
    const { result, log, folder } = await runPlaybook({
      plays: [
        play(
          'all',
          leaves('{{ inventory_hostname }}-deploy', { tags: ['deploy'] }),
          leaves('{{ inventory_hostname }}-slow', { tags: ['deploy', 'slow'] }),
          leaves('{{ inventory_hostname }}-other'),
        ),
      ],
      hosts: HOSTS,
      options: { limit: 'all:!web2', tags: ['deploy'], skipTags: ['slow'] },
    })

    expect(result.steps[0]?.recap?.hosts.map(({ name }) => name)).toEqual(['web1'])
    expect(readdirSync(folder).filter((name) => name.startsWith('web'))).toEqual(['web1-deploy'])
    expect(log).toMatch(
      /^▸ \$ ansible-playbook -i \S+hosts\.ini --limit 'all:!web2' --tags deploy --skip-tags slow \S+site\.yml$/m,
    )
  })

  test.each([
    [
      { tags: ['deplyo'] },
      'no_hosts_matched',
      /^There was no task to run on the hosts that matched \(see tags and skip_tags\), so/,
    ],
    [{ limit: 'db' }, 'ansible_failed', /^ansible-playbook exited with 1: .*--limit leaves us with no hosts/],
  ])('with %j, which leaves nothing to do, is no success', async (options, reason, sentence) => {
    const { result } = await runPlaybook({ plays: [play('all', OK)], hosts: HOSTS, options })

    expect(result).toMatchObject({
      state: 'failed',
      reason,
      detail: expect.stringMatching(sentence) as string,
    })
  })

  test('gets the variables of the configuration as they are, and shows no secret in them', async () => {
    const hostile = `{{ lookup('pipe','touch ${temporaryFolder()}/pwned') }} {% raw %} "q" 'q' $(id) \\ : # é\n- x: &a !!y\u0000`
    const { folder, log, result } = await runPlaybook({
      plays: [
        play(
          'all',
          {
            copy: {
              content: '{{ [text, port, ratio, on, all_of_it, password] | to_json }}',
              dest: '{{ playbook_dir }}/seen',
            },
          },
          { debug: { msg: 'the {{ password }} and {{ text }}' } },
        ),
      ],
      options: {
        extraVars: {
          text: { text: { literal: hostile } },
          port: { plain: 8080 },
          ratio: { plain: 1e21 },
          on: { plain: true },
          all_of_it: {
            mapping: {
              [hostile]: { list: [{ text: { literal: hostile } }, { plain: false }] },
              n: { list: [] },
            },
          },
          password: { text: { template: 'PASSWORD' } },
        },
      },
      secrets: { PASSWORD: 'hunter2{{ 7 * 7 }}' },
    })

    expect(result.state).toBe('succeeded')
    expect(JSON.parse(readFileSync(join(folder, 'seen'), 'utf8'))).toEqual([
      hostile,
      8080,
      1e21,
      true,
      { [hostile]: [hostile, false], n: [] },
      'hunter2{{ 7 * 7 }}',
    ])
    expect(log).toContain('-e text=… -e port=…')
    expect(log).toContain('the ')
    expect(log + JSON.stringify(result)).not.toContain('hunter2')
    const [, trap = ''] = /touch (\S+?)'/.exec(hostile) ?? []
    expect(existsSync(trap)).toBe(false)
  })

  test('shows no secret in pieces, where Ansible would break its lines', async () => {
    const secret = `swordfish-${'0123456789'.repeat(8)} and a half`
    const warner = [
      '#!/usr/bin/python3',
      '# WANT_JSON',
      'import json, os, sys',
      "told = ['It is said that %s opens it' % json.load(open(sys.argv[1]))['pw'], os.environ['PYTHONPATH']]",
      "print(json.dumps({'warnings': told}))",
    ]
    const wrapped = "{{ 'one two' | wordwrap(3, true, '/') }}"
    const long = `${'Long words '.repeat(6)}that end with {{ pw }}`
    const { log } = await runPlaybook({
      plays: [
        play('all', { warner: { pw: '{{ pw }}' } }, { debug: { msg: wrapped } }, { debug: { msg: long } }),
      ],
      files: { 'library/warner.py': `${warner.join('\n')}\n` },
      prepare(folder) {
        const inventory = join(folder, 'hosts.ini')
        rmSync(inventory)
        mkdirSync(inventory)
        writeFileSync(join(inventory, 'good'), `${local('web1')}\n`)
        const bad = '#!/bin/sh\necho "Nobody is let in by $PASSWORD today" >&2\nexit 1\n'
        writeFileSync(join(inventory, 'bad'), bad, { mode: 0o755 })
      },
      options: { extraVars: { pw: { text: { template: 'PASSWORD' } } } },
      secrets: { PASSWORD: secret },
      env: { PYTHONPATH: '/opt/ours', ANSIBLE_CALLBACK_RESULT_FORMAT: 'yaml' },
    })

    expect(log).toContain('Nobody is let in by ••• today')
    expect(log).toContain('It is said that ••• opens it')
    expect(log).not.toMatch(/swordfish|0123456789|and a half/)
    expect(log).toContain('[WARNING]: /opt/ours\u001b')
    expect(log).toContain('msg: one/two')
    expect(log).toContain('Long words that end with •••')
  })

  test('opens its vault with the password of a file, which nobody sees', async () => {
    const password = 'open sesame'
    const { result, log } = await runPlaybook({
      plays: [{ ...play('all', { debug: { msg: '{{ greeting }} open sesame' } }), vars_files: ['vars.yml'] }],
      files: { 'vars.yml': vaulted('greeting: from the vault', password), 'vault.pass': `${password}\n` },
      options: { vaultPasswordFile: 'vault.pass' },
    })

    expect(result.state).toBe('succeeded')
    expect(log).toContain('from the vault')
    expect(log).not.toContain(password)
    expect(log).not.toContain('Everybody on this machine')
    expect(log).toMatch(/--vault-password-file \S+\/vault\.pass /)
  })

  test('whose password everybody may read says so', async () => {
    const { log } = await runPlaybook({
      plays: [play('all', OK)],
      files: { 'vault.pass': 'x' },
      options: { vaultPasswordFile: 'vault.pass' },
      prepare: (beside) => chmodSync(join(beside, 'vault.pass'), 0o644),
    })

    expect(log).toMatch(/^▸ Everybody on this machine may read (\S+\/vault\.pass): chmod 600 \1$/m)
  })

  test.each([
    [
      'vaultPasswordFile',
      'gone.pass',
      /^ansible\.vault_password_file: \S+\/gone\.pass cannot be read: it does not exist\.$/,
    ],
    ['vaultPasswordFile', 'empty.pass', /^ansible\.vault_password_file: \S+\/empty\.pass is empty\.$/],
    [
      'vaultPasswordFile',
      'program.pass',
      /^ansible\.vault_password_file: (\S+)\/program\.pass is a program, and Ansible would run it\. If it holds the password, run chmod -x \1\/program\.pass; if it prints it, write env: \{ANSIBLE_VAULT_PASSWORD_FILE: \1\/program\.pass\} instead\.$/,
    ],
    [
      'requirements',
      'gone.yml',
      /^ansible\.requirements: \S+\/gone\.yml cannot be read: it does not exist\.$/,
    ],
    ['config', 'gone.cfg', /^ansible\.config names \S+\/gone\.cfg: it does not exist\.$/],
  ])('with the %s %s is not begun', async (key, name, sentence) => {
    const { result } = await runPlaybook({
      plays: [play('all', leaves('touched'))],
      files: { 'empty.pass': '\n', 'program.pass': '#!/bin/sh\ntouch started\n' },
      options: { [key]: name },
    })

    expect(result).toMatchObject({
      state: 'failed',
      reason: 'config_invalid',
      detail: expect.stringMatching(sentence) as string,
    })
    expect(result.steps).toEqual([])
  })

  test.each(['settings', 'settings/ansible.cfg'])(
    'whose settings everybody may write, in %s, says so',
    async (open) => {
      const { log, folder } = await runPlaybook({
        plays: [play('all', OK)],
        files: { 'settings/ansible.cfg': '[defaults]\n' },
        options: { config: 'settings/ansible.cfg' },
        prepare: (place) => chmodSync(join(place, open), 0o777),
      })

      expect(log).toContain(`may write ${folder}/${open}, and settings may load programs: chmod o-w`)
    },
  )

  test('is what the hooks before it have made of it', async () => {
    const { result, log } = await runPlaybook({
      plays: [play('all', OK)],
      hooks: { ...NO_HOOKS, before: [{ command: ['mv', 'next.yml', 'site.yml'] }] },
      prepare: (folder) => renameSync(join(folder, 'site.yml'), join(folder, 'next.yml')),
    })
    expect(log).toMatch(/\$ mv next\.yml site\.yml\n▸ exit 0 /)
    expect(result.state).toBe('succeeded')

    const missing = await runPlaybook({
      plays: [play('all', OK)],
      hooks: {
        ...NO_HOOKS,
        before: [{ command: ['mv', 'site.yml', 'next.yml'] }],
        afterFailure: [{ command: ['touch', 'told'] }],
      },
    })
    expect(missing.result).toMatchObject({ state: 'failed', reason: 'playbook_missing' })
    expect(existsSync(join(missing.folder, 'told'))).toBe(true)
  })

  test('tells its hooks nothing of how it is run', async () => {
    const environment: Hook = { command: ['env'] }
    const { log, result } = await runPlaybook({
      plays: [play('all', OK)],
      hooks: { ...NO_HOOKS, before: [environment], afterSuccess: [environment] },
    })

    expect(result.steps.map(({ hook }) => hook)).toEqual(['before', undefined, 'after_success'])
    expect(log.match(/^FERRYMAN_HOOK=/gm)).toHaveLength(2)
    expect(log).not.toMatch(/^(?:ANSIBLE_|FERRYMAN_RECAP_FILE)/m)
  })

  test('takes its settings from one file, wherever another lies', async () => {
    const { log } = await runPlaybook({
      plays: [play('all', { debug: { msg: 'forks: {{ lookup("config", "DEFAULT_FORKS") }}' } })],
      files: { 'ansible.cfg': '[defaults]\nforks = 66\n', 'settings/one.cfg': '[defaults]\nforks = 77\n' },
      options: { config: 'settings/one.cfg' },
    })

    expect(log).toContain('forks: 77')
    expect(log).not.toContain('Not used')
  })

  test('has its settings count for callbacks and for ssh, however long the folder of the run is', async () => {
    const callback = `
from ansible.plugins.callback import CallbackBase

class CallbackModule(CallbackBase):
    CALLBACK_TYPE = 'notification'
    CALLBACK_NAME = 'ours'

    def v2_playbook_on_stats(self, stats):
        self._display.display('our callback')
`
    const option = `lookup("config", "ssh_args", plugin_type="connection", plugin_name="ssh")`
    const { result, log } = await runPlaybook({
      plays: [play('all', { debug: { msg: `ssh: {{ ${option} }}` } })],
      files: {
        'settings/ansible.cfg':
          '[defaults]\ncallback_plugins = ./ours\n[ssh_connection]\nssh_args = -J bastion\n',
        'settings/ours/ours.py': callback,
      },
      options: { config: 'settings/ansible.cfg' },
      parts: { directory: join(temporaryFolder(), 'x'.repeat(80)) },
    })

    expect(result).toMatchObject({ state: 'succeeded', steps: [{ recap: { hostCount: 1 } }] })
    expect(log).toContain('ssh: -J bastion')
    expect(log).toContain('\nour callback\n')
  })
})

describe.skipIf(!inject('ansible'))('what a playbook requires', { timeout: 60_000 }, () => {
  const NAME = 'ansible-galaxy install -r'

  test('is installed before it, and again only when the file says something else', async () => {
    const installed = temporaryFolder()
    const requirements = JSON.stringify({
      roles: [roleRepository('greet', [leaves('greeted')])],
      collections: [collectionRepository('tools', [leaves('tooled')])],
    })
    const given = {
      plays: [{ hosts: 'all', gather_facts: false, roles: ['own', 'greet', 'acme.tools.install'] }],
      files: {
        'requirements.yml': requirements,
        'settings/ansible.cfg': '[defaults]\nroles_path = ../our-roles ; beside\n',
        'our-roles/own/tasks/main.yml': JSON.stringify([leaves('own')]),
      },
      options: { requirements: 'requirements.yml', config: 'settings/ansible.cfg' },
      parts: { installed },
    }

    const first = await runPlaybook(given)
    const second = await runPlaybook(given)
    expect(first.result.steps).toMatchObject([
      { name: `${NAME} ${first.folder}/requirements.yml`, exitCode: 0 },
      { recap: { hostCount: 1 } },
    ])
    expect(second.result.steps).toMatchObject([{ recap: { hostCount: 1 } }])
    for (const { folder } of [first, second])
      expect(readdirSync(folder)).toEqual(expect.arrayContaining(['own', 'greeted', 'tooled']))
    const [name = ''] = readdirSync(installed)
    const home = join(installed, name)
    expect(readdirSync(home)).toHaveLength(2) // the note, and the one that counts
    const file = join(second.folder, 'requirements.yml')
    expect(readRequirements(file, home, 'next')).toMatchObject({ steps: [] })
    writeFileSync(file, `${requirements}\n# again`)
    expect(readRequirements(file, home, 'next')).toMatchObject({
      roles: join(home, 'next/roles'),
      steps: [{ argv: ['ansible-galaxy', 'install', '-r', file] }],
    })
  })

  test('is installed by a dry run for itself alone, unless it is there', async () => {
    const installed = temporaryFolder()
    const given = {
      plays: [{ hosts: 'all', gather_facts: false, roles: ['greet'] }],
      files: { 'requirements.yml': JSON.stringify([roleRepository('greet', [leaves('greeted')])]) },
      options: { requirements: 'requirements.yml' },
    }

    const tried = await runPlaybook({ ...given, parts: { installed, asking: TRIAL } })
    expect(tried.result.steps).toMatchObject([
      { name: `${NAME} ${tried.folder}/requirements.yml`, exitCode: 0 },
      { recap: { hosts: [{ changed: 1 }] } },
    ])
    expect(readdirSync(installed)).toEqual([])

    await runPlaybook({ ...given, parts: { installed } })
    const again = await runPlaybook({ ...given, parts: { installed, asking: TRIAL } })
    expect(again.result.steps).toMatchObject([{ recap: { hosts: [{ changed: 1 }] } }])
    for (const { folder } of [tried, again]) expect(existsSync(join(folder, 'greeted'))).toBe(false)
  })

  test('and cannot be had ends the deployment before the playbook, each time', async () => {
    const PASSWORD = `hunter2-${'hunter2'.repeat(12)}`
    const installed = temporaryFolder()
    const given = {
      plays: [play('all', leaves('touched'))],
      files: {
        'requirements.yml': JSON.stringify({
          roles: [roleRepository('there', []), { name: 'x', src: `git+file://me:${PASSWORD}@/nowhere/x` }],
        }),
      },
      options: { requirements: 'requirements.yml' },
      parts: { installed },
    }

    for (const _ of [1, 2]) {
      const { result, folder, log } = await runPlaybook(given)

      expect(result).toMatchObject({ state: 'failed', reason: 'command_failed', steps: [{ exitCode: 1 }] })
      expect(result.state === 'failed' && result.detail).toMatch(
        /^ansible-galaxy install -r .* exited with 1: \S/,
      )
      expect(existsSync(join(folder, 'touched'))).toBe(false)
      expect(log).toContain('@/nowhere/x')
      expect(log + JSON.stringify(result)).not.toContain('hunter2')
    }
    const [home = ''] = readdirSync(installed)
    expect(readdirSync(join(installed, home))).toEqual([])
  })
})
