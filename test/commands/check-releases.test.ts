import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { ferryman } from '../support/cli.ts'
import { temporaryFolder } from '../support/running.ts'

test('ferryman check says where releases are, which is current, and what is missing for the next', async () => {
  const folder = temporaryFolder()
  const production = { releases: { path: 'srv', shared: ['.env', 'storage/'] } }
  const config = {
    github: { webhook_secret: 'x'.repeat(20), token: 'x'.repeat(20) },
    repositories: {
      'acme/shop': {
        source: 'https://builds.example.org/shop-{sha}.zip',
        commands: [['bin/build'], ['true']],
        tasks: { migrate: { commands: [['./migrate']] } },
        environments: {
          production,
          staging: { releases: { path: 'other' } },
          unproved: { releases: { path: 'cut' } },
        },
      },
    },
  }
  writeFileSync(join(folder, 'config.yml'), JSON.stringify(config), { mode: 0o600 })
  mkdirSync(join(folder, 'srv/releases/1'), { recursive: true })
  writeFileSync(join(folder, 'srv/releases/.1.json'), '{"sha":"abc","at":1}')
  symlinkSync('releases/1', join(folder, 'srv/current'))
  mkdirSync(join(folder, 'other/current'), { recursive: true })
  mkdirSync(join(folder, 'cut/releases/1'), { recursive: true })
  symlinkSync('releases/1', join(folder, 'cut/current'))

  const { code, out } = await ferryman(['check', '--offline', '-c', join(folder, 'config.yml')])

  const lines = out.replaceAll(folder, '<folder>').split('\n')
  expect(code).toBe(1)
  expect(lines).toEqual(
    expect.arrayContaining([
      '✔ acme/shop production: a release for each deployment, in <folder>/srv',
      '! acme/shop production: bin/build is code of the repository',
      '✔ acme/shop production: true',
      '✔ acme/shop production migrate: folder <folder>/srv/current',
      '✔ acme/shop production: releases in <folder>/srv: 1 good, 1 is current',
      '✔ acme/shop unproved: releases in <folder>/cut: 0 good, 1 is current, which was not proved to be good',
      '✘ acme/shop production: there is no <folder>/srv/shared/.env',
      '✘ acme/shop staging: <folder>/other/current is no link: move it away, so that it can become one, or deploy with `target: directory`.',
    ]),
  )
})
