import { createServer } from 'node:http'

import { expect, test } from 'vitest'

import { checkSources } from '../../src/commands/check-sources.ts'
import { currentUser } from '../../src/user.ts'
import { load } from '../config/written.ts'
import { gitSource } from '../support/git-source.ts'
import { listen } from '../support/loopback.ts'

test('what a source holds that is not at GitHub is said, or why it does not tell', async () => {
  const source = gitSource()
  const sha = source.commit({ file: '1' })
  let asked = 0
  const port = await listen(
    createServer((_, response) => void response.setHeader('etag', `"${(asked += 1)}"`).end()),
  )
  const config = load(
    `repositories:\n  tools/dash: {via: none, poll: off, workspace: {url: ${source.folder}}, commands: [[id]]}\n` +
      `  tools/odd: {via: none, source: "http://127.0.0.1:${port}/x.zip", releases: {path: /srv/odd}}\n` +
      `  tools/gone: {via: none, source: "http://127.0.0.1:9/x.zip", releases: {path: /srv/gone}}\n` +
      `  tools/branch: {via: none, branch: stable, workspace: {url: ${source.folder}}, commands: [[id]]}\n`,
  )
  const options = {
    server: { environment: { PATH: process.env['PATH'] }, user: currentUser(), npmFolders: [] },
    masker: { add() {} },
  }

  const found = async (offline: boolean): Promise<string[]> => {
    const lines: string[] = []
    for await (const { mark, text } of checkSources(config, { ...options, offline }))
      lines.push(`${mark} ${text}`)
    return lines
  }

  expect(await found(false)).toEqual([
    `fine tools/dash production: its source holds ${sha.slice(0, 7)} (main), and is not asked by itself`,
    'wrong tools/odd production: its source told two versions within a moment, and none counts that it does not tell twice',
    'wrong tools/gone production: its source does not tell what it holds: http://127.0.0.1:9/x.zip does not answer (bad port); nothing was changed.',
    `wrong tools/branch production: its source does not tell what it holds: ${source.folder} has no branch "stable".`,
  ])
  expect(await found(true)).toEqual([])
})
