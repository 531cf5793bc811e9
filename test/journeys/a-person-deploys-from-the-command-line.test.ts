import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, request } from 'node:http'
import { userInfo } from 'node:os'
import { join, resolve } from 'node:path'

import { expect, onTestFinished, test } from 'vitest'

import { askForJson } from '../../src/commands/client.ts'
import { ferryman, type Ran } from '../support/cli.ts'
import { createWorld, startProcess, TOKEN, type World } from '../support/journey.ts'
import { made, openShop, type Shop } from '../support/merging.ts'
import { temporaryFolder } from '../support/running.ts'

const ME = userInfo().username
const NAME = 'acme/shop/production#1'
const short = (sha: string): string => sha.slice(0, 7)

const deploy = ({ configFile }: World, ...words: readonly string[]): Promise<Ran> =>
  ferryman(['deploy', ...words, '-c', configFile])

/** What the commands have written down: the commits that were put in place, and for whom. */
const deployedIn = ({ sample }: Shop): readonly string[] => {
  const file = join(sample.folder, '..', 'deployed')
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : []
}

const headOf = ({ repository }: World): string => repository.branches.get('main')?.sha ?? ''

/** Nothing at all is recorded: the first number is still to be given. */
const nothingIsRecorded = async ({ configFile, repository }: Shop): Promise<boolean> => {
  const shown = await ferryman(['cancel', NAME, '-c', configFile])
  return shown.err.includes('There is no deployment') && repository.deployments.length === 0
}

test('the head of the branch goes to production, and whoever asked is told until it has succeeded', async () => {
  const shop = await openShop()
  const sha = headOf(shop)

  const ran = await deploy(shop, 'Acme/Shop', '--wait', '--reason', 'the sale begins')

  expect(ran).toMatchObject({ code: 0, err: '' })
  const lines = ran.out.trimEnd().split('\n')
  expect(lines[0]).toBe(`${NAME} will deploy ${short(sha)} (main)`)
  expect(lines.at(-1)).toBe('succeeded')
  expect(deployedIn(shop)).toEqual([`${sha} by ${ME}`])
  const deployment = await made(shop, sha)
  expect(deployment).toMatchObject({
    ref: sha,
    description: 'the sale begins',
    payload: { deploy_user: ME, reason: 'the sale begins', ferryman: expect.stringMatching(/^\w{32}$/) },
  })
  await shop.status(deployment, 'success')
  await shop.slack.waitFor(({ text }) => text === `Deployed ${NAME} at ${short(sha)}, by ${ME}`)
  const who = `${ME} through ferryman-robot: the sale begins`
  expect(await shop.log(1)).toContain(`deploy ${sha} (main), asked for by ${who}\n`)
  expect((await ferryman(['show', NAME, '-c', shop.configFile])).out).toContain(`  who   ${who}\n`)
  expect(JSON.stringify(shop.slack.messages)).toContain('"text":"“the sale begins”"')
})

test('a tag, an id and what was deployed before are looked up once, and pinned', async () => {
  const shop = await openShop()
  const [first, second] = [headOf(shop), await shop.commit('Faster')]
  shop.github.setTag('acme/shop', 'v1', first, 'The first')

  const byTag = await deploy(shop, 'acme/shop', 'production', 'v1', '--wait')
  const byId = await deploy(shop, 'acme/shop', 'production', second.slice(0, 8), '--wait')
  const back = await deploy(shop, 'acme/shop', ':previous', '--wait')
  const again = await deploy(shop, 'acme/shop', 'production', ':current', '--wait', '--json')

  expect([byTag, byId, back].map(({ code, out }) => [code, out.split('\n')[0]])).toEqual([
    [0, `acme/shop/production#1 will deploy ${short(first)} (v1)`],
    [0, `acme/shop/production#2 will deploy ${short(second)} (${second.slice(0, 8)})`],
    [0, `acme/shop/production#3 will deploy ${short(first)} (:previous)`],
  ])
  expect(JSON.parse(again.out)).toMatchObject({
    outcome: 'asked',
    said: ':current',
    deployment: { name: 'acme/shop/production#4', state: 'succeeded', sha: first, ref: first, actor: ME },
  })
  expect(deployedIn(shop).map((line) => line.split(' ')[0])).toEqual([first, second, first, first])
})

test('it waits for its checks, says for which, and ends with 1 when they fail, also where nobody reads', async () => {
  const shop = await openShop({ entry: { required_contexts: ['ci/test'] } })
  const sha = headOf(shop)

  const key = ['--key', 'sale-2026', '--wait']
  const asked = deploy(shop, 'acme/shop', ...key)
  await shop.waitForJournal((line) => line.includes('Waiting for ci/test'))
  const unread = spawn(resolve('bin/ferryman'), ['deploy', 'acme/shop', ...key, '-c', shop.configFile])
  unread.stdout.destroy()
  const unreadEnded = once(unread, 'exit')
  shop.github.addCommitStatus('acme/shop', sha, { context: 'ci/test', state: 'failure' })
  await shop.checked(sha)
  const ran = await asked

  expect(ran.code).toBe(1)
  expect(await unreadEnded).toEqual([1, null])
  expect(ran.out).toContain('\nheld: Waiting for ci/test\n')
  expect(ran.out).toMatch(/\nfailed: Not deployed: ci\/test \(failure\) on \w{7}\n$/)
  expect(deployedIn(shop)).toEqual([])
})

test('whoever asks twice gets two; a lost answer is asked for again, and gets one', async () => {
  const shop = await openShop()
  await deploy(shop, 'acme/shop', '--wait')
  const { directory, requests } = await losingTheFirstAnswer(join(shop.directory, 'data'))

  const ran = await ferryman(['deploy', 'acme/shop', '--wait', '--data-dir', directory])

  expect(ran.out).toMatch(/^acme\/shop\/production#2 was asked for before: \w{7} \(main\)\n/)
  expect(ran.code).toBe(0)
  expect(requests.filter((one) => one === 'POST /api/deployments')).toHaveLength(2)
  expect(shop.repository.deployments).toHaveLength(2)
  expect(deployedIn(shop)).toHaveLength(2)
})

test('one key stands for one wish, and whoever sends it again is told how that stands', async () => {
  const shop = await openShop({ entry: { required_contexts: ['ci/test'] } })
  const key = ['--key', 'sale-2026']

  const [first, again] = [
    await deploy(shop, 'acme/shop', ...key, '--json'),
    await deploy(shop, 'acme/shop', ...key, '--json'),
  ]
  const other = await deploy(shop, 'acme/shop', 'production', 'main', ...key)
  await shop.waitForJournal((line) => line.includes('Waiting for ci/test'))
  const held = await deploy(shop, 'acme/shop', ...key)
  await ferryman(['cancel', NAME, '-c', shop.configFile])
  const ended = await deploy(shop, 'acme/shop', ...key)

  expect(JSON.parse(first.out)).toMatchObject({ outcome: 'asked', deployment: { name: NAME } })
  expect(JSON.parse(again.out)).toMatchObject({ outcome: 'asked_already', deployment: { name: NAME } })
  expect(other).toMatchObject({
    code: 1,
    err: `ferryman: That key was used for another wish, which is ${NAME}.\n  Nothing was recorded. Every new wish needs a key of its own, or none.\n`,
  })
  const before = `${NAME} was asked for before: ${short(headOf(shop))} (main)\n`
  expect(held).toEqual({ code: 0, out: `${before}held: Waiting for ci/test\n`, err: '' })
  expect(ended).toEqual({ code: 1, out: `${before}cancelled: Cancelled by ${ME}\n`, err: '' })
})

test('what was answered is on disk: it deploys after the server was killed', async () => {
  const world = await createWorld({ entry: { required_contexts: ['ci/test'] } })
  world.github.addToken(TOKEN, { login: 'ferryman-robot', type: 'classic', scopes: ['repo'] })
  const server = await startProcess(world)
  const { code, out } = await deploy(world, 'acme/shop')
  await server.end('SIGKILL')
  world.github.addCommitStatus('acme/shop', world.sha, { context: 'ci/test', state: 'success' })

  await startProcess(world)

  expect([code, out]).toEqual([0, `${NAME} will deploy ${short(world.sha)} (main)\n`])
  await world.status(await made(world, world.sha), 'success')
})

test('a restart of the server ends the waiting of nobody', async () => {
  const shop = await openShop({ entry: { required_contexts: ['ci/test'] } })
  const sha = headOf(shop)
  const asked = deploy(shop, 'acme/shop', '--wait')
  await shop.waitForJournal((line) => line.includes('Waiting for ci/test'))

  await shop.stop()
  shop.github.addCommitStatus('acme/shop', sha, { context: 'ci/test', state: 'success' })
  await shop.restart()

  expect(await asked).toMatchObject({ code: 0, err: '' })
  expect(deployedIn(shop)).toEqual([`${sha} by ${ME}`])
})

test('^C ends the waiting, and not the deployment', async () => {
  const shop = await openShop({ commands: [['sh', '-c', 'until [ -e ../go ]; do sleep 0.1; done']] })
  const waiting = spawn(resolve('bin/ferryman'), ['deploy', 'acme/shop', '--wait', '-c', shop.configFile], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void waiting.kill('SIGKILL'))
  const ended = once(waiting, 'exit')
  let out = ''
  for await (const chunk of waiting.stdout) {
    out += String(chunk)
    if (String(chunk).includes('running')) waiting.kill('SIGINT')
  }
  const deployment = await made(shop, headOf(shop))
  await shop.status(deployment, 'in_progress')
  writeFileSync(join(shop.sample.folder, '..', 'go'), '')

  expect(await ended).toEqual([1, null])
  expect(out).toMatch(
    new RegExp(`\nNobody waits for ${NAME} any more. It goes on; .ferryman cancel. takes it back.\n$`),
  )
  await shop.status(deployment, 'success')
})

const FORK = 'f'.repeat(40)

test('nothing is recorded of what cannot be: the wish is answered with what is wrong', async () => {
  const shop = await openShop()
  shop.github.setTag('acme/shop', 'twice', headOf(shop))
  shop.github.addCommits('acme/shop', [{ message: 'Other' }], 'twice')
  shop.github.pushToFork('acme/shop', 'mallory/shop', [{ message: 'For nothing', sha: FORK }])
  const shopOf = (ref: string) => ({ repository: 'acme/shop', environment: 'production', ref })
  const wishes = [
    [{ repository: 'shop' }, 'request_wrong', 'repository (owner/name)'],
    [{ repository: 'acme/shpo' }, 'place_unknown', 'acme/shpo is not in the configuration.'],
    [{ repository: 'acme/shop', environment: 'v1' }, 'place_unknown', 'acme/shop v1 is not in'],
    [shopOf('v9'), 'ref_unknown', 'no branch, tag or commit "v9"'],
    [shopOf('a..b'), 'ref_wrong', '"a..b" cannot be the name'],
    [shopOf('twice'), 'ref_ambiguous', 'twice is a tag'],
    [shopOf(':current'), 'nothing_deployed', 'There is no :current of acme/shop production.'],
    [shopOf(FORK), 'commit_foreign', 'but perhaps on a fork’s.'],
    [{ ...shopOf('main'), force: true, reason: ' ' }, 'force_reason_missing', 'Force needs a reason.'],
    [{ ...shopOf('main'), force: 'yes' }, 'request_wrong', 'force (true or false)'],
    [{ ...shopOf('main'), dry: true }, 'request_wrong', 'dry (not known here)'],
  ] as const

  for (const [body, code, says] of wishes) {
    const asking = askForJson(
      { config: shop.configFile, dataDir: undefined },
      { method: 'POST', path: '/api/deployments', body },
    )
    await expect(asking).rejects.toMatchObject({ code, message: expect.stringContaining(says) })
  }
  expect(await deploy(shop)).toMatchObject({ code: 2, err: expect.stringContaining('such as acme/shop') })
  expect(await deploy(shop, 'acme/shop', 'production', FORK)).toEqual({
    code: 1,
    out: '',
    err: 'ferryman: fffffff is on no branch or tag of acme/shop, but perhaps on a fork’s.\n  Nothing was recorded. Push it to a branch there, then ask again.\n',
  })

  expect(await nothingIsRecorded(shop)).toBe(true)
})

test('while GitHub does not answer nothing is recorded, and that is said', async () => {
  const shop = await openShop()
  shop.github.fail({ path: /\/acme\/shop$/, times: 100, with: { status: 503, body: { message: 'no' } } })

  const ran = await deploy(shop, 'acme/shop')

  expect(ran.code).toBe(1)
  expect(ran.err).toMatch(/^ferryman: GitHub could not be asked which commit that is: .*[^.]\.\n {2}Nothing/)
  expect(await nothingIsRecorded(shop)).toBe(true)
})

/** A socket in front of the server's; the answer to the first POST is lost on the way. */
async function losingTheFirstAnswer(dataDir: string) {
  const directory = temporaryFolder()
  const requests: string[] = []
  const front = createServer((asked, answer) => {
    requests.push(`${asked.method} ${asked.url}`)
    const isLost = requests.filter((one) => one.startsWith('POST')).length === 1
    const onward = request({
      socketPath: join(dataDir, 'ferryman.sock'),
      method: asked.method,
      path: asked.url,
      headers: asked.headers,
    })
    onward.once('response', (response) => {
      if (isLost) asked.socket.destroy()
      else response.pipe(answer.writeHead(response.statusCode ?? 500, response.headers))
    })
    asked.pipe(onward)
  })
  front.listen(join(directory, 'ferryman.sock'))
  await once(front, 'listening')
  onTestFinished(() => void front.close())
  return { directory, requests }
}
