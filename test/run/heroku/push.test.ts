import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { IN_WORKSPACE, type HerokuRecipe } from '../../../src/deployment/recipe.ts'
import { settingsFor, targetOf } from '../../../src/run/heroku/push.ts'
import type { Stop } from '../../../src/run/limits.ts'
import type { RunParts } from '../../../src/run/parts.ts'
import { createMirrors } from '../../../src/run/workspace/mirrors.ts'
import { gitSource } from '../../support/git-source.ts'
import { API_KEY, herokuForTest } from '../../support/heroku.ts'
import { runFor, temporaryFolder } from '../../support/running.ts'
import { recipe } from '../../support/samples.ts'

interface Given extends Partial<Omit<HerokuRecipe, 'kind'>> {
  readonly sha: string
  readonly key?: string
  readonly parts?: Partial<RunParts>
}

/** A repository, an app of Heroku, and a server's data directory; pushes one commit after the other. */
async function place() {
  const source = gitSource()
  const heroku = await herokuForTest()
  const data = temporaryFolder()
  const checkouts = {
    mirrors: createMirrors(join(data, 'mirrors')),
    workspaces: join(data, 'workspaces'),
    githubUrl: () => 'https://github.com',
    readingToken: () => Promise.reject(new Error('GitHub is not asked.')),
  }
  const deploy = async ({ sha, key = API_KEY, parts, ...given }: Given) => {
    const { kind: _, commands: __, ...circumstances } = recipe({ folder: IN_WORKSPACE })
    const pushed: HerokuRecipe = {
      ...circumstances,
      kind: 'heroku',
      app: 'shop',
      apiKey: { literal: key },
      url: heroku.urlOf('shop'),
      branch: 'main',
      workspace: { url: source.folder, submodules: false, lfs: false },
      ...given,
    }
    return runFor({ commands: [], deployment: { sha, recipe: pushed }, parts: { checkouts, ...parts } })
  }
  return { source, heroku, deploy, mirror: checkouts.mirrors.pathOf('acme/shop') }
}

test('exactly that commit is pushed, and going back pushes the one before, whatever the branch was', async () => {
  const { source, heroku, deploy } = await place()
  const first = source.commit({ a: '1' })
  const second = source.commit({ a: '2' })
  source.commit({ a: '3' })

  const forward = await deploy({ sha: second })
  const head = heroku.head()
  const back = await deploy({ sha: first, parts: { previousSha: second } })

  expect(forward.result).toMatchObject({ state: 'succeeded', deployedSha: undefined })
  expect(forward.log).toMatch(/^▸ push \w{7} to Heroku as shop$/m)
  expect(forward.log).toContain(`▸ $ git push -- ${heroku.urlOf('shop')} +${second}:refs/heads/main\n`)
  expect(forward.log).toMatch(/^remote: -----> Build succeeded!/m)
  expect(head).toBe(second)
  expect(back.result.state).toBe('succeeded')
  expect(heroku.head()).toBe(first)
})

test('git does not give a build up that prints nothing for a minute', () => {
  const file = join(temporaryFolder(), 'gitconfig')
  writeFileSync(file, settingsFor(targetOf({ url: 'https://git.heroku.com/shop.git' })))
  const set = (key: string): string =>
    execFileSync('git', ['config', '--file', file, key], { encoding: 'utf8' }).trim()

  expect([set('http.lowSpeedLimit'), set('http.lowSpeedTime')]).toEqual(['0', '0'])
})

test('what Heroku has already is a success that says so', async () => {
  const { source, deploy } = await place()
  const sha = source.commit({ a: '1' })
  await deploy({ sha })

  const again = await deploy({ sha, parts: { previousSha: sha } })
  const unsure = await deploy({ sha })

  expect(again.result.state).toBe('succeeded')
  expect(again.result.steps.at(-1)?.note).toBe('Heroku had it already and built nothing')
  expect(again.log).toContain(
    `▸ Heroku has ${sha.slice(0, 7)} on main already, and builds nothing for it; \`heroku releases --app shop\` shows which release is there.\n`,
  )
  expect(unsure.result.steps.at(-1)?.note).toBe(
    'Heroku had it already and built nothing, release not verified',
  )
})

test('a build that fails, a wrong key, an unknown app and no answer each have their sentence, and change nothing', async () => {
  const { source, heroku, deploy } = await place()
  const first = source.commit({ a: '1' })
  const sha = source.commit({ a: '2' })
  await deploy({ sha: first })

  heroku.builds('echo " !     Push rejected, failed to compile Node.js app."; exit 1')
  const declined = await deploy({ sha })
  const wrongKey = await deploy({ sha, key: 'HRKU-another' })
  const noApp = await deploy({ sha, app: 'shop-eu', url: heroku.urlOf('shop-eu') })
  const head = heroku.head()
  await heroku.close()
  const noAnswer = await deploy({ sha })

  expect(declined.result).toMatchObject({
    state: 'failed',
    reason: 'command_failed',
    detail: `Heroku did not take ${sha.slice(0, 7)} for shop: Push rejected, failed to compile Node.js app.`,
  })
  expect(wrongKey.result).toMatchObject({
    reason: 'target_unavailable',
    detail: expect.stringMatching(/^Heroku does not take the key for shop: /),
  })
  expect(noApp.result).toMatchObject({
    reason: 'target_unavailable',
    detail: expect.stringMatching(/^Heroku has no app shop-eu that this key may see: /),
  })
  expect(noAnswer.result).toMatchObject({
    reason: 'target_unavailable',
    detail: expect.stringMatching(/\/shop\.git cannot be reached, and nothing was pushed: Failed to connect/),
  })
  expect(head).toBe(first)
})

test('a key that is gone, or none, is a matter of the configuration', async () => {
  const { source, heroku, deploy } = await place()
  const sha = source.commit({ a: '1' })

  const { result, log } = await deploy({ sha, key: 'two words\npassword=x' })

  expect(result).toMatchObject({
    reason: 'config_invalid',
    detail: 'What heroku.api_key says is no API key; correct it there.',
  })
  expect(log).not.toContain('two words')
  expect(heroku.shown).toEqual([])
})

test.each([
  ['a person', 'cancelled', 'by_person'],
  ['a time limit', 'failed', 'timed_out'],
] as const)('%s ends the push, and the log says what goes on at Heroku', async (_, state, reason) => {
  const { source, heroku, deploy } = await place()
  const sha = source.commit({ a: '1' })
  const gate = join(temporaryFolder(), 'gate')
  execFileSync('mkfifo', [gate])
  heroku.builds(`echo "-----> Building"; read line < ${gate}`)
  const stop: Stop = { kind: reason, detail: 'That is enough' }
  const controller = new AbortController()

  // Whoever writes there waits until the build reads.
  const begun = writeFile(gate, '').then(() => controller.abort(stop))
  const { result, log } = await deploy({ sha, parts: { signal: controller.signal } })
  await begun

  expect(result).toMatchObject({ state, reason })
  expect(log).toContain(
    '▸ Nobody waits for it any more: what Heroku had begun goes on there by itself, and may be released: ' +
      '`heroku builds --app shop` shows it, `heroku builds:cancel --app shop` ends it.\n',
  )
})

test('a history that is not whole is told, and nothing is pushed', async () => {
  const { source, heroku, deploy } = await place()
  source.commit({ a: '1' })
  const sha = source.commit({ a: '2' })
  const shallow = join(temporaryFolder(), 'shallow')
  source.git('clone', '--quiet', '--depth=1', `file://${source.folder}`, shallow)
  const workspace = { url: shallow, submodules: false, lfs: false }

  const { result } = await deploy({ sha, workspace })
  const head = heroku.head()
  execFileSync('git', ['fetch', '--quiet', '--unshallow'], { cwd: shallow })
  const mended = await deploy({ sha, workspace })

  expect(result).toMatchObject({
    state: 'failed',
    reason: 'source_unavailable',
    detail: expect.stringMatching(/^\w{7} was not pushed, since its history is not whole: /),
  })
  expect(head).toBeUndefined()
  expect(mended.result.state).toBe('succeeded')
  expect(heroku.head()).toBe(sha)
})

test('what is kept and damaged is fetched anew, and pushed', async () => {
  const { source, heroku, deploy, mirror } = await place()
  source.commit({ a: 'what nobody checks out any more' })
  const old = source.git('rev-parse', 'HEAD:a')
  const sha = source.commit({ a: '2' })
  heroku.builds('exit 1')
  await deploy({ sha })
  losePart(mirror, old)
  heroku.builds('true')

  const { result, log } = await deploy({ sha })

  expect(log).toContain('▸ What is kept of acme/shop is damaged: it is fetched anew.\n')
  expect(result.state).toBe('succeeded')
  expect(heroku.head()).toBe(sha)
})

/** Takes one object out of a repository. */
function losePart(repository: string, id: string): void {
  const packs = join(repository, 'objects/pack')
  const packed = readdirSync(packs).filter((name) => name.endsWith('.pack'))
  const contents = packed.map((name) => readFileSync(join(packs, name)))
  for (const name of readdirSync(packs)) rmSync(join(packs, name))
  for (const input of contents)
    execFileSync('git', ['--git-dir=.', 'unpack-objects', '-q'], { cwd: repository, input })
  rmSync(join(repository, 'objects', id.slice(0, 2), id.slice(2)))
}
