import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { describe, expect, inject, test } from 'vitest'

import { serve } from '../support/journey.ts'
import { local, play } from '../support/playbooks.ts'

const trap = (name: string): string => `{{lookup('pipe','touch ${name}')}}`

describe.skipIf(!inject('ansible'))('Jinja', () => {
  test('shows what GitHub sends, and never runs it', async () => {
    const world = await serve({
      repositories: {
        'acme/shop': { folder: '.', ansible_hosts: 'hosts.ini', ansible_playbook: 'site.yml' },
      },
    })
    const ref = trap('pwned-ref')
    world.github.setBranch('acme/shop', ref, world.sha)
    writeFileSync(join(world.directory, 'hosts.ini'), `${local('web1')}\n`)
    const tasks = [
      { debug: { msg: `${trap('the-trap-works')} {{ ferryman.ref }} {{ by_name }}` } },
      {
        copy: { content: '{{ ferryman.ref }}', dest: '{{ playbook_dir }}/seen-{{ item.key | hash }}' },
        loop: '{{ ferryman.payload | dict2items }}',
      },
      { debug: { msg: "{{ lookup('env', 'GITHUB_REF') }} {{ lookup('env', 'FERRYMAN_PAYLOAD') }}" } },
      { set_fact: { again: '{{ ferryman }}' } },
      { debug: { msg: '{{ again }}' } },
      { debug: { var: 'again.payload' } },
      { command: { argv: ['printf', '%s', '{{ again.ref }}'] } },
    ]
    const site = { ...play('all', ...tasks), vars: { by_name: '{{ ferryman.ref }}' } }
    writeFileSync(join(world.directory, 'site.yml'), JSON.stringify([site]))

    const deployment = await world.deploy({
      ref,
      description: trap('pwned-description'),
      payload: {
        deploy_user: trap('pwned-user'),
        [trap('pwned-key')]: { [trap('pwned-inner-key')]: [trap('pwned-value')] },
      },
    })
    await world.status(deployment, 'success')

    expect(await world.log(1)).toContain(ref)
    const files = ['ref', 'description', 'user', 'key', 'inner-key', 'value'].map((name) => `pwned-${name}`)
    expect(existsSync(join(world.directory, 'the-trap-works'))).toBe(true)
    for (const name of files)
      expect({ name, there: existsSync(join(world.directory, name)) }).toEqual({ name, there: false })
    expect(readFileSync(join(world.directory, 'site.yml'), 'utf8')).toContain('ferryman.ref')
  })
})
