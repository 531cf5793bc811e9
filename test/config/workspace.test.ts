import { dirname, join } from 'node:path'

import { describe, expect, test } from 'vitest'

import { loadConfig } from '../../src/config/load.ts'
import { recipeAt } from '../../src/deployment/recipe.ts'
import { GITHUB, problemsOf, written } from './written.ts'

const read = (lines: string) => {
  const file = written(`${GITHUB}repositories:\n  acme/shop:\n${lines}`)
  const config = loadConfig(file, { environment: { KEYS: '/etc/keys' } })
  const environments = config.repositories.get('acme/shop')?.environments
  const recipeOf = (name: string) => environments?.get(name)?.recipe
  return { recipe: recipeOf('production'), recipeOf, environments, directory: dirname(file) }
}
const wrongIn = (lines: string): string[] =>
  problemsOf(`${GITHUB}repositories:\n  acme/shop:\n${lines}`).map((line) => line.replace(/^.*?: /, ''))

describe('workspace', () => {
  test('fresh needs no folder, and takes the repository at GitHub without more', () => {
    const { recipe } = read('    workspace: fresh\n    commands: [[ls, "{workspace}/app"]]\n')

    expect(recipe).toMatchObject({ folder: '/{workspace}', workspace: { submodules: false, lfs: false } })
    expect(recipe?.workspace?.url).toBeUndefined()
  })

  test('says more in its long form, with paths like those of other files', () => {
    const { recipe, directory } = read(
      '    folder: packages/api\n    workspace: {submodules: true, url: "git@git.example.org:shop.git", ' +
        'ssh_key_file: "${KEYS}/shop", known_hosts_file: hosts}\n    commands: [[ls]]\n',
    )

    expect(recipe).toMatchObject({
      folder: '/{workspace}/packages/api',
      workspace: {
        submodules: true,
        url: 'git@git.example.org:shop.git',
        sshKeyFile: '/etc/keys/shop',
        knownHostsFile: join(directory, 'hosts'),
      },
    })
  })

  test('holds for environments and tasks that say nothing else', () => {
    const { recipeOf, environments } = read(
      '    workspace: fresh\n    commands: [[ls]]\n    tasks: {migrate: {commands: [[ls]]}}\n' +
        '    environments:\n      staging: {}\n      production: {workspace: none, folder: /srv/shop}\n',
    )

    expect(recipeOf('staging')?.folder).toBe('/{workspace}')
    expect(environments?.get('staging')?.tasks.get('migrate')?.folder).toBe('/{workspace}')
    expect(recipeOf('production')).toMatchObject({ folder: '/srv/shop', workspace: undefined })
  })

  test('places a playbook in the checkout, and what is absolute elsewhere', () => {
    const { recipe } = read(
      '    workspace: fresh\n    folder: deploy\n    ansible_hosts: /etc/hosts.ini\n    ansible_playbook: site.yml\n' +
        '    ansible: {requirements: requirements.yml, vault_password_file: /etc/vault}\n',
    )

    expect(recipe && recipeAt(recipe, '/data/workspaces/1')).toMatchObject({
      folder: '/data/workspaces/1/deploy',
      inventory: '/etc/hosts.ini',
      playbook: '/data/workspaces/1/deploy/site.yml',
      options: {
        requirements: '/data/workspaces/1/deploy/requirements.yml',
        vaultPasswordFile: '/etc/vault',
      },
    })
  })

  test.each([
    ['site.yml', '/{workspace}'],
    ['deploy/site.yml', '/{workspace}/deploy'],
    ['/etc/ansible/site.yml', '/{workspace}'],
  ])('lets the playbook %s work in %s where no folder is said', (playbook, folder) => {
    const { recipe } = read(
      `    workspace: fresh\n    ansible_hosts: /etc/hosts.ini\n    ansible_playbook: ${playbook}\n`,
    )

    expect(recipe?.folder).toBe(folder)
  })

  test.each([
    ['{url: "https://mona:secret@git.example.org/shop.git"}', /expected an address/],
    ['{url: "ext::sh -c id"}', /expected an address/],
    ['{url: "--upload-pack=id"}', /expected an address/],
    ['{url: "ssh://-oProxyCommand=id/shop"}', /expected an address/],
    ['{url: "https://git.example.org/shop", ssh_key_file: k}', /opens nothing at https/],
    ['{submodule: true}', /submodule/],
    ['shallow', /expected fresh, none, or a mapping/],
  ])('is refused as %s', (given, expected) => {
    const said = wrongIn(`    workspace: ${given}\n    commands: [[ls]]\n`)

    expect(said.join('\n')).toMatch(expected)
    expect(said.join('\n')).not.toContain('mona:secret')
  })

  test.each(['/srv/shop', '../shop', 'a/../../b'])(
    'takes no folder outside of the checkout: %s',
    (folder) => {
      expect(wrongIn(`    workspace: fresh\n    folder: ${folder}\n    commands: [[ls]]\n`)).toEqual([
        expect.stringContaining(`${folder} is not in the checkout that \`workspace\` makes`),
      ])
    },
  )

  test('is what {workspace} needs', () => {
    expect(wrongIn('    folder: /srv\n    commands: [[ls, "{workspace}"]]\n')).toEqual([
      expect.stringContaining('{workspace} is nothing here'),
    ])
  })
})
