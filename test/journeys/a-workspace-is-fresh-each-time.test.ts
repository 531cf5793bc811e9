import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { createSampleRepository } from '../../src/demo/sample-repository.ts'
import { startCodeServer } from '../support/code-server.ts'
import { SECRET, serve, TOKEN, type World } from '../support/journey.ts'
import { eventually, temporaryFolder } from '../support/running.ts'
import { contentOf, seenInProc } from '../support/seen.ts'

const workspacesIn = ({ directory }: World): string[] => {
  const folder = join(directory, 'data/workspaces')
  return existsSync(folder) ? readdirSync(folder) : []
}

/** A server whose code is at GitHub, where a token opens it; `beforeAnswer` is awaited when that was shown. */
async function shopAtGitHub(asApp: boolean, beforeAnswer: () => Promise<void>) {
  const sample = await createSampleRepository(temporaryFolder())
  let api = ''
  const code = await startCodeServer({
    repositories: { 'acme/shop': sample.origin },
    api: () => api,
    opens: (token) => token === TOKEN || token.startsWith('ghs_'),
    beforeAnswer,
  })
  const report = 'env > "$1"; cat .git/config >> "$1"; ls -A > "$1.files"; touch left; env; cat .git/config'
  const served = await serve({
    asApp,
    prepare({ github, githubApp, directory, writeConfig }) {
      api = github.url
      github.addCommits('acme/shop', sample.commits)
      const credentials = asApp
        ? { app: { id: githubApp?.id, private_key_file: './app.pem' } }
        : { token: TOKEN }
      const commands = [['sh', '-c', report, 'sh', join(directory, 'seen')]]
      writeConfig({
        config: { github: { webhook_secret: SECRET, ...credentials, api_url: code.url } },
        repositories: { 'acme/shop': { workspace: 'fresh', commands } },
      })
    },
  })
  return { served, code, sample }
}

test.each([
  ['a token', false],
  ['an App', true],
] as const)('a fresh checkout each time, opened by %s that nobody else sees', async (_, asApp) => {
  const shown = Promise.withResolvers<void>()
  const looked = Promise.withResolvers<void>()
  const { served, code, sample } = await shopAtGitHub(asApp, () => {
    shown.resolve()
    return looked.promise
  })

  const first = await served.deploy()
  await shown.promise
  const inProc = seenInProc(served.directory)
  looked.resolve()
  await served.status(first, 'success')
  await served.status(await served.deploy(), 'success')

  const token = code.shown.at(-1) ?? ''
  expect(token).toMatch(asApp ? /^ghs_/ : /^ghp_/)
  expect(inProc).toContain('git\0fetch')
  const seen = readFileSync(join(served.directory, 'seen'), 'utf8')
  const sinks = [inProc, seen, contentOf(join(served.directory, 'data')), ...served.journal]
  for (const secret of [token, Buffer.from(`x-access-token:${token}`).toString('base64')])
    expect(sinks.filter((sink) => sink.includes(secret))).toEqual([])
  expect(seen).toContain(`url = ${code.url}/acme/shop.git\n`)
  expect(seen).toMatch(/^FERRYMAN_WORKSPACE=.*\/data\/workspaces\/[0-9a-f]{32}$/m)
  expect(readFileSync(join(served.directory, 'seen.files'), 'utf8')).not.toContain('left')
  expect(await served.log(2)).not.toContain('$ git fetch')
  expect(served.statuses(first).at(-1)).toContain(`Deployed ${sample.working.sha.slice(0, 7)}`)
  expect(workspacesIn(served)).toEqual([])

  const mirror = join(served.directory, 'data/mirrors/acme/shop.git')
  expect(existsSync(mirror)).toBe(true)
  served.writeConfig({})
  await served.reload()
  await eventually('what is kept of it is gone', () => !existsSync(mirror))
})
