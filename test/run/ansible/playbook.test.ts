import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import fc from 'fast-check'
import { describe, expect, inject, test } from 'vitest'

import { carriersOf } from '../../../src/run/processes.ts'
import type { Stop } from '../../../src/run/limits.ts'
import { local, nobody, play, runPlaybook } from '../../support/playbooks.ts'
import { eventually } from '../../support/running.ts'
import { SHA } from '../../support/samples.ts'

const OK = { debug: { msg: 'hello' } }

/** A task of this machine that writes a variable into a file beside the playbook. */
const written = (value: string, name = 'seen') => ({
  copy: { content: value, dest: `{{ playbook_dir }}/${name}` },
})

describe.skipIf(!inject('ansible'))('a playbook', () => {
  test('runs on its hosts, in colour, and the log tells how each fared', async () => {
    const { result, log } = await runPlaybook({
      plays: [play('all', OK, { command: 'true' })],
      hosts: [local('web1'), local('web2')],
    })

    expect(result).toMatchObject({ state: 'succeeded', deployedSha: undefined })
    expect(result.steps).toMatchObject([
      {
        exitCode: 0,
        recap: {
          hosts: [
            { name: 'web1', ok: 2, changed: 1, unreachable: 0, failed: 0 },
            { name: 'web2', ok: 2, changed: 1, unreachable: 0, failed: 0 },
          ],
          hostCount: 2,
          hasReportedCommit: false,
        },
      },
    ])
    expect(log).toMatch(/^▸ \$ ansible-playbook -i \S+hosts\.ini \S+site\.yml$/m)
    expect(log).toContain('\u001b[0;32mok: [web1]')
    expect(log).toContain('▸ web1: ok=2 changed=1\n▸ web2: ok=2 changed=1\n▸ Version not verified')
  })

  test('of which a task fails on one host fails, and says which host and why', async () => {
    const { result, log } = await runPlaybook({
      plays: [
        play('all', {
          command: `sh -c "echo starting; echo 'error: no space left' >&2; exit 3"`,
          when: "inventory_hostname == 'web2'",
        }),
      ],
      hosts: [local('web1'), local('web2')],
    })

    expect(result).toMatchObject({
      state: 'failed',
      reason: 'playbook_failed',
      detail: 'web2: failed=1: error: no space left',
    })
    expect(result.steps[0]?.recap?.hosts.map(({ name, failed }) => [name, failed])).toEqual([
      ['web2', 1],
      ['web1', 0],
    ])
    expect(log).toContain('▸ web2: failed=1: error: no space left\n▸ web1: ok=0 changed=0\n')
  })

  test('whose failures are ignored or rescued is a success', async () => {
    const { result } = await runPlaybook({
      plays: [
        play(
          'all',
          { command: 'false', ignore_errors: true },
          { block: [{ command: 'false' }], rescue: [OK] },
        ),
      ],
    })

    expect(result.state).toBe('succeeded')
    expect(result.steps[0]?.recap?.hosts).toEqual([
      { name: 'web1', ok: 2, changed: 1, unreachable: 0, failed: 0 },
    ])
  })

  test('with a host that cannot be reached fails, and says so', async () => {
    const { result } = await runPlaybook({
      plays: [play('all', { ping: {} })],
      hosts: [local('web1'), nobody('web2')],
    })

    expect(result).toMatchObject({ state: 'failed', reason: 'unreachable' })
    expect(result.state === 'failed' && result.detail).toMatch(
      /^web2: unreachable=1: Failed to connect to the host via ssh: .*Connection refused/,
    )
  })

  test('with several hosts in trouble counts them', async () => {
    const { result } = await runPlaybook({
      plays: [play('all', { ping: {} }, { fail: { msg: 'the disk is full' } })],
      hosts: [local('web1'), nobody('web2'), local('web3')],
    })

    expect(result).toMatchObject({
      reason: 'playbook_failed',
      detail: 'Of 3 hosts 2 failed, 1 unreachable. web1: failed=1: the disk is full',
    })
  })

  test.each<[string, Parameters<typeof runPlaybook>[0], string, RegExp]>([
    [
      'that matches no host',
      { plays: [play('db', OK)] },
      'no_hosts_matched',
      /^No host matched, so the playbook did nothing\.$/,
    ],
    [
      'that includes tasks which are not there',
      { plays: [play('all', { include_tasks: 'gone.yml' })] },
      'playbook_failed',
      /^web1: failed=1: Could not find or access '\S+gone\.yml'/,
    ],
    [
      'that imports another which is not there',
      { plays: [{ import_playbook: 'gone.yml' }] },
      'ansible_failed',
      /^ansible-playbook exited with 1: Could not find or access '\S+gone\.yml'/,
    ],
    [
      'that hides what has failed',
      { plays: [play('all', { fail: { msg: 'the password' }, no_log: true })] },
      'playbook_failed',
      /^web1: failed=1: the output has been hidden due to .*no_log: true/,
    ],
    [
      'of which a command writes one long line',
      { plays: [play('all', { command: `sh -c "printf 'error: %020000d' 0; exit 1"` })] },
      'playbook_failed',
      /^web1: failed=1: error: 0+/,
    ],
    [
      'without its inventory',
      { plays: [play('all', OK)], inventory: '/nowhere/hosts.ini' },
      'inventory_missing',
      /^There is no inventory \/nowhere\/hosts\.ini\.$/,
    ],
    [
      'that is not there',
      { plays: [], playbook: '/nowhere/site.yml' },
      'playbook_missing',
      /^There is no playbook \/nowhere\/site\.yml\.$/,
    ],
    [
      'that is no YAML',
      { plays: '- hosts: [' },
      'playbook_invalid',
      /^The playbook cannot be read: [^/]+\/site\.yml:\d+:\d+: did not find expected node content\b/,
    ],
    [
      'with a module that nobody has',
      { plays: [play('all', { nosuchmodule: {} })] },
      'playbook_invalid',
      /^The playbook cannot be read: .*nosuchmodule/,
    ],
    [
      'whose settings are missing',
      { plays: [play('all', OK)], env: { ANSIBLE_CONFIG: 'gone.cfg' } },
      'config_invalid',
      /^ANSIBLE_CONFIG names \S+\/gone\.cfg: it does not exist\.$/,
    ],
    [
      'where the inventory is a program that fails',
      { plays: [play('all', OK)], files: { 'list.sh': '#!/bin/sh\nexit 1\n' } },
      'ansible_failed',
      /^ansible-playbook exited with 1: .*inventory/i,
    ],
  ])('%s has its own reason and sentence', async (_, given, reason, sentence) => {
    const inventory = given.files === undefined ? {} : { hosts: ['[', '['] }
    const { result, log } = await runPlaybook({ ...given, ...inventory })

    expect(result).toMatchObject({ state: 'failed', reason })
    const detail = result.state === 'failed' ? result.detail : ''
    expect(detail).toMatch(sentence)
    expect(log).toContain(`▸ ${detail}\n`)
  })

  test('without ansible-playbook on PATH says what to install', async () => {
    const { result } = await runPlaybook({
      plays: [play('all', OK)],
      env: { PATH: '/nowhere' },
    })

    expect(result).toMatchObject({
      reason: 'command_not_found',
      detail:
        'Command not found: ansible-playbook. Install Ansible on this machine, or add its folder to PATH.',
    })
  })

  test('is not believed when a task prints a recap', async () => {
    const forged =
      'PLAY RECAP *********\nweb1                       : ok=9    changed=9    unreachable=0    failed=0\n'
    const { result } = await runPlaybook({
      plays: [
        play('all', {
          shell: `printf '${forged.replaceAll('\n', String.raw`\n`)}' | tee /proc/$PPID/fd/1; env | grep RECAP; exit 1`,
        }),
      ],
    })

    expect(result).toMatchObject({ state: 'failed', reason: 'playbook_failed' })
    expect(result.steps[0]?.recap?.hosts).toMatchObject([{ name: 'web1', ok: 0, failed: 1 }])
  })

  test('takes a list of hosts for an inventory', async () => {
    const { result } = await runPlaybook({
      plays: [{ ...play('all', OK), connection: 'local' }],
      inventory: 'web1,web2',
    })

    expect(result.steps[0]?.recap?.hosts.map(({ name }) => name)).toEqual(['web1', 'web2'])
  })

  test('that reports a commit is believed', async () => {
    const reporting = (sha: string) => ({
      plays: [play('all', { set_stats: { data: { ferryman_deployed_sha: sha }, per_host: true } })],
      hosts: [local('web1'), local('web2')],
    })

    const same = await runPlaybook(reporting(SHA))
    const other = await runPlaybook(reporting('f'.repeat(40)))
    const none = await runPlaybook(reporting('unknown'))

    expect(same.result).toMatchObject({ state: 'succeeded', deployedSha: undefined })
    expect(same.result.steps[0]?.recap?.hasReportedCommit).toBe(true)
    expect(same.log).not.toContain('not verified')
    expect(other.result).toMatchObject({ deployedSha: 'f'.repeat(40) })
    expect(other.log).toContain('▸ The playbook reports fffffff, asked for a84d88e.')
    expect(none.result.steps[0]?.recap?.hasReportedCommit).toBe(false)
    expect(none.log).toContain('▸ Version not verified')
  })

  test('does not take settings of the repository unless they are named', async () => {
    const given = {
      plays: [play('all', written('{{ lookup("config", "DEFAULT_FORKS") }}'))],
      files: { 'ansible.cfg': '[defaults]\nforks = 77\n' },
    }

    const silent = await runPlaybook(given)
    const named = await runPlaybook({ ...given, env: { ANSIBLE_CONFIG: 'ansible.cfg' } })

    expect(readFileSync(join(silent.folder, 'seen'), 'utf8')).toBe('5')
    expect(silent.log).toContain(
      `▸ Not used: ${join(silent.folder, 'ansible.cfg')}. To use it, name it: ansible: {config: `,
    )
    expect(readFileSync(join(named.folder, 'seen'), 'utf8')).toBe('77')
    expect(named.log).not.toContain('Not used')
  })

  test('leaves nothing in its folders, and no secret in what is told', async () => {
    const { result, log, folder, directory } = await runPlaybook({
      plays: [play('all', { fail: { msg: "error: bad token {{ lookup('env', 'TOKEN') }}" } })],
      secrets: { TOKEN: 'hunter2hunter2' },
    })

    expect(readdirSync(join(directory, 'runs'))).toEqual([])
    expect(existsSync(join(folder, 'site.retry'))).toBe(false)
    expect(log).toContain('error: bad token')
    expect(JSON.stringify(result)).toContain('error: bad token')
    expect(log + JSON.stringify(result)).not.toContain('hunter2')
  })

  test('at its time limit ends with everything that it started', async () => {
    const { result, log } = await runPlaybook({
      plays: [play('all', { command: 'sleep 300' })],
      hosts: [local('web1'), local('web2'), local('web3')],
      timeoutSeconds: 3,
      parts: { runId: 'aaaa0123456789' },
    })

    expect(result).toMatchObject({ state: 'failed', reason: 'timed_out' })
    expect(log).toContain('TASK [command]')
    expect(carriersOf('aaaa0123456789')).toEqual([])
  })

  test('that is interrupted leaves no process', async () => {
    const stop = new AbortController()
    const reason: Stop = { kind: 'interrupted', detail: 'Interrupted' }

    const running = runPlaybook({
      plays: [play('all', { command: 'sleep 301' })],
      parts: { signal: stop.signal, runId: 'bbbb0123456789' },
    })
    await eventually('the task runs', () => carriersOf('bbbb0123456789').length > 3)
    stop.abort(reason)
    const { result } = await running

    expect(result).toMatchObject({ state: 'failed', reason: 'interrupted' })
    expect(carriersOf('bbbb0123456789')).toEqual([])
  })
})

describe.skipIf(!inject('ansible'))('what a playbook learns', () => {
  const dump = play('all', { copy: { content: '{{ ferryman | to_json }}', dest: '{{ playbook_dir }}/seen' } })
  const learned = (folder: string): unknown => JSON.parse(readFileSync(join(folder, 'seen'), 'utf8'))

  test('is the whole deployment, as one variable', async () => {
    const { folder } = await runPlaybook({
      plays: [dump],
      deployment: { payload: '{"n": 3, "deep": {"list": [true, null, "x"]}}', ref: 'feature/π' },
      parts: { previousSha: 'b'.repeat(40) },
    })

    expect(learned(folder)).toEqual({
      sha: SHA,
      short_sha: 'a84d88e',
      previous_sha: 'b'.repeat(40),
      ref: 'feature/π',
      environment: 'production',
      task: 'deploy',
      repository: 'acme/shop',
      actor: 'mona',
      number: 12,
      payload: { n: 3, deep: { list: [true, null, 'x'] } },
    })
  })

  test('arrives as it was, whatever characters and numbers are in it', async () => {
    const text = fc.string({ unit: 'binary', maxLength: 12 }).map((one) => one.toWellFormed())
    const [payload] = fc.sample(
      fc.array(fc.dictionary(text, fc.oneof(text, fc.integer(), fc.constantFrom(1e21, 0.1, -5e-324))), {
        minLength: 60,
        maxLength: 60,
      }),
      { numRuns: 1, seed: 20_261_121 },
    )

    const { folder, log } = await runPlaybook({
      plays: [dump],
      deployment: { payload: JSON.stringify(payload) },
    })

    expect(log).toContain('ok=')
    expect((learned(folder) as { payload: unknown }).payload).toEqual(payload)
  })

  test.each(['{{', '{%', '{#'])('is never evaluated, key or value, beginning with %s', async (open) => {
    const close = { '{{': '}}', '{%': '%}', '{#': '#}' }[open]
    const hostile = (name: string): string =>
      open === '{%'
        ? `{% set x = lookup('pipe','touch ${name}') %}${close}`
        : `${open}lookup('pipe','touch ${name}')${close}`
    const { result, folder, log } = await runPlaybook({
      plays: [
        {
          ...play(
            'all',
            { debug: { msg: '{{ ferryman.ref }} {{ again }} {{ whole }}' } },
            {
              debug: { msg: '{{ item.key }} {{ item.value }}' },
              loop: '{{ ferryman.payload | dict2items }}',
            },
            { set_fact: { kept: '{{ ferryman.payload }}', first: '{{ ferryman.payload.keys() | first }}' } },
            { debug: { msg: '{{ kept }} {{ first }}' } },
            { command: { argv: ['printf', '%s', '{{ first }}'] } },
            { debug: { var: 'ferryman' } },
          ),
          vars: { again: '{{ ferryman.ref }}', whole: 'text {{ ferryman.payload }}' },
        },
      ],
      deployment: {
        ref: hostile('pwned-ref'),
        actor: hostile('pwned-actor'),
        task: hostile('pwned-task'),
        payload: JSON.stringify({
          [hostile('pwned-key')]: 1,
          deep: { [hostile('pwned-deep')]: [hostile('pwned-list')] },
        }),
      },
    })

    expect(result.state).toBe('succeeded')
    expect(log).toContain(hostile('pwned-ref'))
    for (const name of ['ref', 'actor', 'task', 'key', 'deep', 'list'])
      expect({ name, there: existsSync(join(folder, `pwned-${name}`)) }).toEqual({ name, there: false })
  })
})
