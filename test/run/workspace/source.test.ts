import { execFileSync, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import type { Workspace } from '../../../src/deployment/recipe.ts'
import { gitSettings, sourceOf, sshCommand } from '../../../src/run/workspace/source.ts'
import { temporaryFolder } from '../../support/running.ts'

const from = (given: Partial<Workspace> = {}, githubUrl = 'https://github.com') =>
  sourceOf({ submodules: false, lfs: false, ...given }, 'acme/shop', githubUrl)

test('without an address it is the repository at GitHub, by https, or by ssh where there is a key', () => {
  expect(from()).toMatchObject({ url: 'https://github.com/acme/shop.git', protocol: 'https' })
  expect(from({}, 'https://git.example.org')).toMatchObject({ url: 'https://git.example.org/acme/shop.git' })
  expect(from({ sshKeyFile: '/k' })).toMatchObject({
    url: 'ssh://git@github.com/acme/shop.git',
    protocol: 'ssh',
    tokenFor: undefined,
  })
})

test.each([
  ['https://github.com/other/thing.git', 'https://github.com'],
  ['https://github.com.example.org/acme/shop.git', undefined],
  ['http://github.com/acme/shop.git', undefined],
  ['https://github.com:8443/acme/shop.git', undefined],
  ['git@github.com:acme/shop.git', undefined],
  ['/srv/git/shop.git', undefined],
])('our token is for GitHub alone: %s', (url, tokenFor) => {
  expect(from({ url }).tokenFor).toBe(tokenFor)
})

test.each([
  ['ssh://git@example.org/shop', 'ssh'],
  ['git@example.org:shop', 'ssh'],
  ['file:///srv/shop', 'file'],
  ['/srv/shop', 'file'],
])('knows the transport of %s', (url, protocol) => {
  expect(from({ url }).protocol).toBe(protocol)
})

test('ssh is told the same by a shell, whatever is in the paths', () => {
  const command = sshCommand(`/a b/$(id)'key`, '/c d/hosts')
  const words = execFileSync('sh', ['-c', `printf '%s\\n' ${command}`], { encoding: 'utf8' }).split('\n')

  expect(words.slice(0, 3)).toEqual(['ssh', '-i', `/a b/$(id)'key`])
  expect(words).toContain('UserKnownHostsFile="/c d/hosts"')
  expect(words).toContain('StrictHostKeyChecking=yes')
})

test('git gives the token to the origin that it is for, and to no other', () => {
  const folder = temporaryFolder()
  writeFileSync(join(folder, 'settings'), gitSettings({ tokenFor: 'https://github.com', lfs: false }))
  writeFileSync(join(folder, 'token'), 'username=x-access-token\npassword=opensesame\n')
  const ask = (url: string) =>
    spawnSync('git', ['credential', 'fill'], {
      input: `url=${url}\n\n`,
      encoding: 'utf8',
      env: {
        PATH: process.env['PATH'],
        HOME: folder,
        GIT_CONFIG_NOSYSTEM: '1',
        GIT_CONFIG_GLOBAL: join(folder, 'settings'),
        GIT_TERMINAL_PROMPT: '0',
        FERRYMAN_GIT_CREDENTIALS: join(folder, 'token'),
      },
    }).stdout

  expect(ask('https://github.com/acme/shop.git')).toContain('password=opensesame\n')
  for (const other of ['https://example.org/', 'http://github.com/', 'https://github.com.example.org/'])
    expect(ask(other)).toBe('')
})
