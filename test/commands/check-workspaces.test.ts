import { writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { checkWorkspaces } from '../../src/commands/check-workspaces.ts'
import { lineFor } from '../../src/commands/findings.ts'
import { loadConfig } from '../../src/config/load.ts'
import { createMasker } from '../../src/logs/redact.ts'
import { GITHUB, written } from '../config/written.ts'
import { gitSource } from '../support/git-source.ts'
import { temporaryFolder } from '../support/running.ts'

const { username: name, homedir: home } = userInfo()

async function check(workspaces: Readonly<Record<string, object>>, offline = false): Promise<string[]> {
  const entries = Object.entries(workspaces).map(([repository, workspace]) => [
    repository,
    { workspace, commands: [['ls']] },
  ])
  const config = loadConfig(
    written(`${GITHUB}repositories: ${JSON.stringify(Object.fromEntries(entries))}\n`),
    {
      environment: {},
    },
  )
  const lines: string[] = []
  for await (const finding of checkWorkspaces(config, {
    server: { environment: process.env, user: { name, home, shell: '/bin/sh' }, npmFolders: [] },
    offline,
    version: 'test',
    now: 0,
    masker: createMasker([]),
  }))
    lines.push(lineFor(finding, false).trim())
  return lines
}

test('check says whether a source answers, and what git says where it does not', async () => {
  const source = gitSource()
  source.commit({ a: '' })
  const workspaces = { 'acme/shop': { url: source.folder }, 'acme/blog': { url: '/nowhere/blog' } }

  const [git, ...found] = await check(workspaces)
  const offline = await check(workspaces, true)

  expect(git).toMatch(/^✔ git version 2\./)
  expect(found).toEqual([
    `✔ acme/shop: ${source.folder} can be fetched`,
    "✘ acme/blog: /nowhere/blog cannot be fetched: fatal: '/nowhere/blog' does not appear to be a git repository\n" +
      '    Correct `workspace.url`.',
  ])
  expect(offline).toHaveLength(1)
})

test('check names keys that ssh would refuse, and files that are not there', async () => {
  const folder = temporaryFolder()
  const key = join(folder, 'key')
  writeFileSync(key, '', { mode: 0o644 })

  const [, ...found] = await check({
    'acme/shop': { ssh_key_file: key, known_hosts_file: join(folder, 'hosts') },
  })

  expect(found).toEqual([
    `✘ acme/shop: others may read the key ${key}, so that ssh refuses it\n    chmod 600 ${key}`,
    expect.stringMatching(/^✘ acme\/shop: known_hosts_file .*\/hosts cannot be read: /),
  ])
})
