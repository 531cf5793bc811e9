import { dirname, join } from 'node:path'

import { describe, expect, test } from 'vitest'

import { loadConfig } from '../../src/config/load.ts'
import { GITHUB, problemsOf, written } from './written.ts'

const read = (lines: string) => {
  const file = written(`${GITHUB}repositories:\n  acme/shop:\n${lines}`)
  const config = loadConfig(file, {
    environment: {
      KEY: 'AKIA1',
      SECRET: 'a-secret-of-s3',
      TOKEN: 'a-token-of-builds',
      ADDRESS: 'https://builds.example.org/a-secret-path/shop-{sha}.zip',
    },
  })
  const environments = config.repositories.get('acme/shop')?.environments
  const recipeOf = (name: string) => environments?.get(name)?.recipe
  return { recipe: recipeOf('production'), recipeOf, environments, config, directory: dirname(file) }
}
const wrongIn = (lines: string): string[] =>
  problemsOf(`${GITHUB}repositories:\n  acme/shop:\n${lines}`).map((line) => line.replace(/^.*?: /, ''))

describe('releases', () => {
  test('of a checkout need a path, and no commands', () => {
    const { recipe } = read('    releases: {path: /srv/shop}\n')

    expect(recipe).toMatchObject({
      kind: 'commands',
      commands: [],
      folder: '/{workspace}',
      workspace: { submodules: false },
      releases: { path: '/srv/shop', keep: 5, shared: [], target: 'link' },
    })
    expect(recipe?.releases?.source).toBeUndefined()
  })

  test('of a zip have its address by reference, and no checkout', () => {
    const { recipe, config, directory } = read(
      '    source: "https://builds.example.org/${TOKEN}/shop-{sha}.zip"\n' +
        '    releases: {path: srv, keep: 2, shared: [storage//, .env], target: directory}\n    folder: app\n',
    )

    expect(recipe).toMatchObject({
      folder: '/{workspace}/app',
      workspace: undefined,
      releases: {
        path: join(directory, 'srv'),
        keep: 2,
        shared: ['storage/', '.env'],
        target: 'directory',
        source: { address: { template: 'https://builds.example.org/${TOKEN}/shop-{sha}.zip' } },
      },
    })
    expect(config.secrets).toContain('a-token-of-builds')
  })

  test('of a zip whose whole address is secret hide what is around the commit, too', () => {
    const { config } = read('    source: ${ADDRESS}\n    releases: {path: srv}\n')

    expect(config.secrets).toContain('https://builds.example.org/a-secret-path/shop-')
    expect(config.secrets).not.toContain('.zip')
  })

  test('of a zip in S3 have credentials by reference, and where the store is', () => {
    const { recipe, directory } = read(
      '    source:\n      url: s3://builds/shop-{sha}.zip\n      access_key_id: ${KEY}\n      secret_access_key: ${SECRET}\n' +
        '      region: eu-west-1\n      endpoint: https://minio.example.org\n      key_file: keys\n    releases: {path: /srv/shop}\n',
    )

    expect(recipe?.releases?.source).toEqual({
      address: { literal: 's3://builds/shop-{sha}.zip' },
      s3: {
        region: 'eu-west-1',
        endpoint: 'https://minio.example.org',
        keyFile: join(directory, 'keys'),
        accessKeyId: { template: '${KEY}' },
        secretAccessKey: { template: '${SECRET}' },
      },
    })
  })

  test('are of one environment each; its tasks work in the current one, and make none', () => {
    const { recipeOf, environments } = read(
      '    releases: {path: "/srv/{environment}"}\n    folder: app\n    tasks: {migrate: {commands: [[ls]]}}\n' +
        '    environments: {staging: {}, production: {releases: {path: /srv/shop}}}\n',
    )

    expect(recipeOf('staging')?.releases?.path).toBe('/srv/staging')
    expect(recipeOf('production')?.releases?.path).toBe('/srv/shop')
    const task = environments?.get('staging')?.tasks.get('migrate')
    expect(task).toMatchObject({ folder: '/srv/staging/current/app', workspace: undefined })
    expect(task?.releases).toBeUndefined()
  })

  test.each([
    ['source: https://builds.example.org/shop.zip', 'needs releases beside it'],
    ['releases: {path: /srv, keep: 0}', 'expected a number from 1 to 1000'],
    ['releases: {path: "/srv/{sha}"}', '{sha} is not filled here; only {environment} is'],
    ['releases: {path: /srv, shared: [../etc]}', 'expected a path inside of a release'],
    ['releases: {path: /srv, shared: [/etc]}', 'expected a path inside of a release'],
    ['releases: {path: /srv, shared: [a/../..]}', 'expected a path inside of a release'],
    ['releases: {path: /srv, shared: [storage/, storage/logs]}', 'is inside of storage/, or the same'],
    ['releases: {path: /srv, shared: [.env, .env]}', 'is inside of .env, or the same'],
    ['releases: {path: /srv, target: rsync}', 'expected link or directory'],
    ['releases: {paths: /srv}', 'unknown key; did you mean path?'],
    [
      'source: "ftp://mona:hunter22@x/y.zip"\n    releases: {path: /srv}',
      'expected git, or the address of a zip',
    ],
    [
      'source: "https://{environment}.example.org/x.zip"\n    releases: {path: /srv}',
      'names its host by a placeholder',
    ],
    [
      'source: "https://example.org/{ref}.zip"\n    releases: {path: /srv}',
      '{ref} is not filled here; {sha}, {short_sha} and {environment} are',
    ],
    ['source: s3://builds\n    releases: {path: /srv}', 'is no address such as s3://bucket/path/to/app.zip'],
    [
      'source: {url: "git@github.com:acme/shop.git"}\n    releases: {path: /srv}',
      'is a git address: write it as a text',
    ],
    [
      'source: {url: s3://builds/x.zip, access_key_id: AKIA}\n    releases: {path: /srv}',
      'needs access_key_id and secret_access_key together',
    ],
    ['source: {region: eu-west-1}\n    releases: {path: /srv}', 'is missing: expected the address of a zip'],
    [
      'source: {url: "https://x.example.org/x.zip", region: eu}\n    releases: {path: /srv}',
      'has keys for S3, and its url is none of s3://',
    ],
    [
      'source: https://x.example.org/x.zip\n    workspace: fresh\n    releases: {path: /srv}',
      'is nothing here, since the source is a zip',
    ],
    ['tasks_folder: hooks\n    releases: {path: /srv}', 'makes no releases; write the tasks'],
    [
      'ansible_hosts: /h\n    ansible_playbook: p.yml\n    releases: {path: /srv}',
      'is for commands: a playbook makes none',
    ],
    ['releases: {path: /srv}\n    env: {CURRENT_CONFIG: x}', 'is set by Ferryman itself'],
    [
      'releases: {path: /srv}\n    environments: {staging: {}, production: {}}',
      '/srv is where the releases of acme/shop staging are, too',
    ],
  ])('are refused as %s', (given, expected) => {
    const said = wrongIn(`    ${given}\n`).join('\n')

    expect(said).toContain(expected)
    expect(said).not.toContain('hunter22')
  })
})
