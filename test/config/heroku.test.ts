import { describe, expect, test } from 'vitest'

import { loadConfig } from '../../src/config/load.ts'
import { GITHUB, problemsOf, written } from './written.ts'

const KEY = 'HRKU-0123456789abcdef'
const read = (lines: string) => {
  const file = written(`${GITHUB}repositories:\n  acme/shop:\n${lines}`)
  const config = loadConfig(file, { environment: { KEY } })
  const environments = config.repositories.get('acme/shop')?.environments
  return { config, environments, recipe: environments?.get('production')?.recipe }
}
const wrongIn = (lines: string): string[] =>
  problemsOf(`${GITHUB}repositories:\n  acme/shop:\n${lines}`, { environment: { KEY } }).map((line) =>
    line.replace(/^.*?: /, ''),
  )

describe('heroku', () => {
  test('needs no folder, goes to Heroku, and keeps the key by reference', () => {
    const { recipe, config } = read('    heroku: {app: shop-eu, api_key: "${KEY}"}\n')

    expect(recipe).toMatchObject({
      kind: 'heroku',
      app: 'shop-eu',
      apiKey: { template: '${KEY}' },
      url: 'https://git.heroku.com/shop-eu.git',
      branch: 'main',
      folder: '/{workspace}',
      workspace: { submodules: false, lfs: false },
    })
    expect(config.secrets).toContain(KEY)
    expect(config.warnings).toEqual([])
  })

  test('is said key by key, and holds where the nearest level does nothing else', () => {
    const { environments } = read(
      '    workspace: {url: /srv/git/shop.git}\n    heroku: {api_key: "${KEY}", branch: master}\n    environments:\n' +
        '      staging: {heroku: {app: shop-staging, branch: main}}\n      production: {heroku: {app: shop}}\n' +
        '      own: {workspace: none, folder: /srv/shop, commands: [[ls]]}\n',
    )
    const recipeOf = (name: string) => environments?.get(name)?.recipe

    expect(recipeOf('staging')).toMatchObject({
      app: 'shop-staging',
      branch: 'main',
      workspace: { url: '/srv/git/shop.git' },
    })
    expect(recipeOf('production')).toMatchObject({ app: 'shop', branch: 'master' })
    expect(recipeOf('own')).toMatchObject({ kind: 'commands', folder: '/srv/shop', workspace: undefined })
  })

  test('lets hooks and other tasks work in the checkout', () => {
    const { environments } = read(
      '    heroku: {app: shop, api_key: "${KEY}"}\n    tasks: {migrate: {commands: [[heroku, run, migrate]]}}\n',
    )

    expect(environments?.get('production')?.tasks.get('migrate')).toMatchObject({
      kind: 'commands',
      folder: '/{workspace}',
    })
  })

  test('takes a key that is written down, and hides it all the same', () => {
    const { recipe, config } = read(`    heroku: {app: shop, api_key: ${KEY}}\n`)

    expect(recipe).toMatchObject({
      apiKey: { config: ['repositories', 'acme/shop', 'heroku', 'api_key'] },
    })
    expect(config.lookup(['repositories', 'acme/shop', 'heroku', 'api_key'])).toBe(KEY)
    expect(config.secrets).toContain(KEY)
  })

  test.each([
    ['{api_key: "${KEY}"}', /^is missing: expected the name of the app/],
    ['{app: shop}', /^is missing: expected an API key, such as/],
    ['{app: Shop, api_key: xyzxyz}', /expected the name of an app of Heroku/],
    ['{app: "--exec", api_key: xyzxyz}', /expected the name of an app of Heroku/],
    ['{app: shop, api_key: "two words"}', /^is no API key/],
    ['{app: shop, api_key: "${UNSET_HERE}"}', /UNSET_HERE is not set/],
    ['{app: shop, api_key: xyzxyz, branch: develop}', /expected main or master/],
    ['{app: shop, api_key: xyzxyz, url: "http://git.example.org/shop.git"}', /expected an address such as/],
    [
      '{app: shop, api_key: xyzxyz, url: "https://mona:secret@example.org/a.git"}',
      /expected an address such as/,
    ],
    ['{app: shop, api_key: xyzxyz, url: "ext::sh -c id"}', /expected an address such as/],
    ['{app: shop, apikey: xyzxyz}', /unknown key; did you mean api_key\?/],
  ])('is refused as %s', (given, expected) => {
    const lines = wrongIn(`    heroku: ${given}\n`)

    expect(lines.join('\n')).toMatch(expected)
    expect(lines).toHaveLength(1)
    expect(lines.join('\n')).not.toMatch(/xyzxyz|two words|secret/)
  })

  test.each([
    ['commands: [[heroku, run, migrate]]', /stands beside commands; .* stands under hooks/],
    ['ansible_playbook: site.yml\n    ansible_hosts: hosts', /stands beside ansible_playbook/],
    ['folder: /srv/shop', /is not in the checkout that `heroku` makes; .* leave folder out/],
    ['releases: {path: /srv/shop}', /^is for commands: a push to Heroku makes none/],
    ['run_as: shop', /^cannot stand beside `heroku`/],
  ])('does not go with %s', (line, expected) => {
    const lines = wrongIn(`    heroku: {app: shop, api_key: "\${KEY}"}\n    ${line}\n`)

    expect(lines.join('\n')).toMatch(expected)
  })

  test('lets two environments push to one app only where they share a lane', () => {
    const two = (lane: string) =>
      '    heroku: {app: shop, api_key: "${KEY}"}\n    environments:\n' +
      `      staging: {${lane}}\n      production: {${lane}}\n`

    expect(wrongIn(two(''))).toEqual([
      'shop is also the app of acme/shop staging, and their deployments could meet there: write the same lane in both, such as `lane: some-name`',
    ])
    expect(wrongIn(two('lane: shop'))).toEqual([])
  })
})
