import { expect, test } from 'vitest'

import type { EnvironmentConfig } from '../../src/config/config.ts'
import { GITHUB, load, problemsOf } from './written.ts'

const SHOP = `${GITHUB}repositories:\n  acme/shop:\n`
const environmentOf = (lines: string, name = 'production'): EnvironmentConfig | undefined =>
  load(`${SHOP}${lines}`).repositories.get('acme/shop')?.environments.get(name)
const wrongIn = (lines: string): string[] =>
  problemsOf(`${SHOP}    commands: [[make]]\n${lines}`).map((line) => line.replace(/^.*?: /, ''))

test.each([
  ['https://git.example.org/shop.git', { url: 'https://git.example.org/shop.git' }],
  [
    'https://my.git/acme/shop.git/deploy/web/#release/v1',
    { url: 'https://my.git/acme/shop.git', path: 'deploy/web', branch: 'release/v1' },
  ],
  [
    'git@git.example.org:acme/shop.git#stable',
    { url: 'git@git.example.org:acme/shop.git', branch: 'stable' },
  ],
  ['git+ssh://git@host/x.github/shop.git/app', { url: 'ssh://git@host/x.github/shop.git', path: 'app' }],
  ['/srv/git/shop.git/app#main', { url: '/srv/git/shop.git', path: 'app', branch: 'main' }],
])(
  'source: %s is a checkout of that',
  (source, { url, path, branch }: { url: string; path?: string; branch?: string }) => {
    const environment = environmentOf(
      `    source: "${source}"\n    commands: [[make]]\n    workspace: {submodules: true}\n`,
    )

    expect(environment).toMatchObject({
      branch,
      recipe: {
        folder: path === undefined ? '/{workspace}' : `/{workspace}/${path}`,
        workspace: { url, submodules: true },
      },
    })
  },
)

test('with releases its folder is what is released; paths begin there, and tasks work in it without', () => {
  const released = environmentOf(
    '    source: https://x.org/shop.git/app#b\n    releases: {path: /srv}\n    folder: bin\n',
  )
  const worked = environmentOf(
    '    source: https://x.org/shop.git/app\n    folder: bin\n    commands: [[make]]\n    tasks: {migrate: {commands: [[ls]]}}\n',
  )

  expect(released?.recipe).toMatchObject({
    folder: '/{workspace}/bin',
    releases: { path: '/srv', directory: 'app' },
    workspace: { url: 'https://x.org/shop.git' },
  })
  expect(worked?.recipe.folder).toBe('/{workspace}/app/bin')
  expect(worked?.tasks.get('migrate')).toMatchObject({
    folder: '/{workspace}/app/bin',
    workspace: { url: 'https://x.org/shop.git' },
  })
})

test.each(['https://git.example.org/shop.git/snapshot/shop-{sha}.zip?x=1', 's3://builds/shop.git/app.zip'])(
  '%s is a zip',
  (address) => {
    const { recipe } = environmentOf(`    source: "${address}"\n    releases: {path: /srv}\n`) ?? {}

    expect(recipe?.releases?.source?.address).toEqual({ literal: address })
  },
)

test('an environment may have a branch and a folder of its own', () => {
  const lines =
    '    source: https://x.org/shop.git#main\n    commands: [[make]]\n    environments:\n' +
    '      production: {source: "https://x.org/shop.git/live#stable"}\n      staging: {}\n'

  expect(environmentOf(lines)).toMatchObject({ branch: 'stable', recipe: { folder: '/{workspace}/live' } })
  expect(environmentOf(lines, 'staging')).toMatchObject({
    branch: 'main',
    recipe: { folder: '/{workspace}' },
  })
})

test.each([
  ['source: "https://x.org/shop.git/../up"', 'names no folder of the repository behind .git/: ../up'],
  ['source: "https://x.org/shop.git#-b"', 'names no branch behind its #: -b'],
  [
    'source: ssh://git@x.org/shop',
    'is a git address in which nobody can tell the repository from the folder: end the repository with .git, such as https://git.example.org/shop.git/folder#branch',
  ],
  [
    'source: "https://me:hunter22@x.org/shop.git"',
    'is a git address with credentials, or with a transport that is not taken: expected https, ssh or a path',
  ],
  [
    'source: "ext::sh -c id x/shop.git"',
    'is a git address in which nobody can tell the repository from the folder: end the repository with .git, such as https://git.example.org/shop.git/folder#branch',
  ],
  [
    'source: "https://x.org/${NAME}.git"',
    'is a git address, in which nothing is filled: write `workspace: {url: …}` instead, with `folder` and `branch`',
  ],
  [
    'source: "https://x.org/shop.git#{environment}"',
    'is a git address, in which nothing is filled: write `workspace: {url: …}` instead, with `folder` and `branch`',
  ],
  [
    'source: "https://x.org/shop.git#b"\n    branch: main',
    'stands in `source`, too, behind its #: keep one of the two',
  ],
  [
    'source: https://x.org/shop.git\n    workspace: {url: "https://x.org/other.git"}',
    'stands in `source`, too: keep one of the two',
  ],
  [
    'source: https://x.org/shop.git\n    workspace: none',
    'none cannot be beside a git address in `source`, which is checked out',
  ],
])('%s is refused', (lines, message) => {
  expect(wrongIn(`    ${lines}\n`)).toEqual([message])
})
