import { dirname, join } from 'node:path'

import { describe, expect, test } from 'vitest'

import { NO_HOOKS } from '../../src/deployment/recipe.ts'
import { loadConfig } from '../../src/config/load.ts'
import { GITHUB, problemsOf, written } from './written.ts'

/** The recipes of acme/shop by environment, and where the configuration is. */
function recipesOf(entry: string) {
  const file = written(`${GITHUB}repositories: {acme/shop: ${entry}}`)
  const { repositories } = loadConfig(file, { environment: { NAME: 'web' } })
  const environments = [...(repositories.get('acme/shop')?.environments.values() ?? [])]
  const recipes = Object.fromEntries(environments.map(({ name, recipe }) => [name, recipe]))
  return { recipes, directory: dirname(file) }
}

describe('a playbook in the configuration', () => {
  test('stands beside the configuration, and its own folder is where it works', () => {
    const { recipes, directory } = recipesOf('{ansible_hosts: hosts.ini, ansible_playbook: plays/site.yml}')

    expect(recipes['production']).toEqual({
      kind: 'ansible',
      folder: join(directory, 'plays'),
      inventory: join(directory, 'hosts.ini'),
      playbook: join(directory, 'plays/site.yml'),
      options: { tags: [], skipTags: [], extraVars: {} },
      env: {},
      timeoutSeconds: 3600,
      silenceSeconds: 600,
      leaveProcesses: false,
      maxLogBytes: 52_428_800,
      hooks: NO_HOOKS,
    })
  })

  test('with a folder stands there, and so does its inventory', () => {
    const { recipes, directory } = recipesOf(
      '{folder: infra, ansible_hosts: "${NAME}.ini", ansible_playbook: /srv/site.yml}',
    )

    expect(recipes['production']).toMatchObject({
      folder: join(directory, 'infra'),
      inventory: join(directory, 'infra/web.ini'),
      playbook: '/srv/site.yml',
    })
  })

  test.each(['web1,web2', 'web1,', '-web1,'])('leaves the list of hosts %s as it is', (hosts) => {
    const { recipes } = recipesOf(`{ansible_hosts: "${hosts}", ansible_playbook: site.yml}`)

    expect(recipes['production']).toMatchObject({ inventory: hosts })
  })

  test('is shared by environments that have inventories of their own', () => {
    const { recipes, directory } = recipesOf(
      '{ansible_playbook: site.yml, environments: {staging: {ansible_hosts: a}, live: {ansible_hosts: b}, docs: {folder: d, commands: [[make]]}}}',
    )

    expect(recipes).toMatchObject({
      staging: { kind: 'ansible', playbook: join(directory, 'site.yml'), inventory: join(directory, 'a') },
      live: { kind: 'ansible', playbook: join(directory, 'site.yml'), inventory: join(directory, 'b') },
      docs: { kind: 'commands', commands: [['make']] },
    })
  })

  test('may stand in the folder of another playbook, and not where the commands of another lane work', () => {
    const entry = 'ansible_hosts: a, ansible_playbook: site.yml'
    const text = `${GITHUB}repositories:
  acme/shop: {folder: /srv/infra, ${entry}}
  acme/blog: {folder: /srv/infra, ${entry}}
  acme/docs: {folder: /srv/infra, commands: [[make]]}
`

    expect(problemsOf(text)).toEqual([
      'config.yml:5:15 repositories.acme/docs.folder: /srv/infra is also the folder of acme/shop production, and deployments of acme/docs production could meet there: write the same lane in both, such as `lane: some-name`',
    ])
  })

  test('without its inventory anywhere is refused', () => {
    const text = `${GITHUB}repositories:
  acme/shop: {commands: [[make]], folder: /a, environments: {live: {ansible_playbook: p}, docs: {folder: /b}}}
`

    expect(problemsOf(text)).toEqual([
      'config.yml:3:69 repositories.acme/shop.environments.live.ansible_playbook: needs ansible_hosts beside it',
    ])
  })
})
