import { userInfo } from 'node:os'

import { describe, expect, test } from 'vitest'

import { ferryman, type Ran } from '../support/cli.ts'
import { mayReadCode, serve, type Served } from '../support/journey.ts'
import { made, openShop } from '../support/merging.ts'

const ME = userInfo().username
const NAME = 'acme/shop/production#1'
const WHY = ['--reason', 'the sale begins']
const SAID = `forced by ${ME}: the sale begins`

const run = ({ configFile }: Served, ...words: readonly string[]): Promise<Ran> =>
  ferryman([...words, '-c', configFile])

const held = (world: Served, reason: string) =>
  world.waitForJournal((line) => line.includes('deployment:held') && line.includes(`"${reason}"`))

test('what a lock holds is forced past it, and history, GitHub, Slack and the log say who and why', async () => {
  const world = await serve({ commands: [['echo', 'deployed']] })
  await run(world, 'lock', 'acme/shop', '--reason', 'moving the database')
  const deployment = await world.deploy()
  await held(world, 'locked')

  const done = await run(world, 'force', 'Acme/Shop/production#1', ...WHY)
  await world.status(deployment, 'success')

  expect(done).toEqual({ code: 0, out: `${NAME} is ${SAID}\n`, err: '' })
  const statuses = world.statuses(deployment)
  expect(statuses.at(-1)).toMatch(new RegExp(`^success: Deployed .*; ${SAID}$`))
  expect(statuses.find((one) => one.startsWith('in_progress'))).toMatch(new RegExp(`; ${SAID}$`))
  for (const verb of ['Forced', 'Deploying', 'Deployed'])
    await world.slack.waitFor(
      ({ text = '' }) => text.startsWith(`${verb} ${NAME}`) && text.endsWith(` (${SAID})`),
    )
  expect(world.slack.messages[0]?.text).toContain(': acme/shop is locked by')
  expect(await world.log(1)).toContain(`asked for by mona, ${SAID}`)
  const why = await run(world, 'why', 'acme/shop')
  expect(why.out).toMatch(new RegExp(`queued, forced, Forced by ${ME}: the sale begins`))
  expect(await world.waitForJournal((line) => line.includes('deployment:forced'))).toContain(ME)
})

test('a deployment is forced as it is asked for: past required checks, and not past those that nobody can skip', async () => {
  const shop = await openShop({
    entry: { required_contexts: ['ci/test'], even_when_forced: ['security/audit'] },
  })
  const sha = shop.repository.branches.get('main')?.sha ?? ''

  const asked = run(shop, 'deploy', 'acme/shop', '--force', '--wait', ...WHY)
  await held(shop, 'checks_pending')
  await shop.slack.waitFor(({ text = '' }) => text.startsWith(`Forced ${NAME}`))
  shop.github.addCommitStatus('acme/shop', sha, { context: 'security/audit', state: 'success' })
  await shop.checked(sha)
  const { code, out } = await asked

  expect(code).toBe(0)
  expect(out).toMatch(
    new RegExp(
      `^${NAME} will deploy \\w{7} \\(main\\), ${SAID}\\n(.*\\n)*held: Waiting for security/audit\\n`,
    ),
  )
  expect((await made(shop, sha)).description).toBe('the sale begins')
  expect(shop.github.statusesOf((await made(shop, sha)).id).at(-1)?.description).toContain(SAID)
})

test('a merge that waits for its checks is forced, and deploys at once', async () => {
  const shop = await openShop({ entry: { required_contexts: ['ci/test'] } })
  const sha = await shop.commit('Faster')
  await shop.merge(sha)
  await held(shop, 'checks_pending')

  await run(shop, 'force', NAME, ...WHY)

  await shop.status(await made(shop, sha), 'success')
})

test('force is of the first who used it; what has ended is forced by nobody', async () => {
  const world = await serve()
  await run(world, 'lock', 'acme/shop', '--reason', 'moving the database')
  await run(world, 'lock', '--everything', '--reason', 'an incident')
  const deployment = await world.deploy({ ref: 'main' })
  await held(world, 'locked')
  await run(world, 'force', NAME, ...WHY)
  await world.status(deployment, 'success')

  const late = await run(world, 'force', NAME, '--reason', 'me too')

  expect(late).toMatchObject({ code: 1, out: '' })
  expect(late.err).toContain(`${NAME} has ended already: succeeded.`)
  expect(world.statuses(deployment).at(-1)).toContain(SAID)
})

describe('nothing is forced', () => {
  test('past a second person, who is waited for all the same', async () => {
    const world = await serve({ prepare: mayReadCode, entry: { approval: true } })
    await run(world, 'lock', 'acme/shop', '--reason', 'moving the database')
    const deployment = await world.deploy()
    await held(world, 'locked')

    expect(await run(world, 'force', NAME, ...WHY)).toMatchObject({ code: 0 })
    await held(world, 'approval_pending')
    await run(world, 'approve', NAME)
    await world.status(deployment, 'success')

    expect(world.statuses(deployment).at(-1)).toContain(SAID)
  })

  test('without a reason, or where the configuration forbids it, and both are said', async () => {
    const world = await serve({ entry: { force: false } })
    await run(world, 'lock', 'acme/shop', '--reason', 'moving the database')
    const deployment = await world.deploy()
    await held(world, 'locked')

    const forbidden = {
      code: 1,
      out: '',
      err: 'ferryman: Nothing is forced in acme/shop production: `force` is false there.\n  Wait for what holds it, or let whoever may change the configuration set `force: true` for the environment.\n',
    }
    expect(await run(world, 'force', NAME, ...WHY)).toEqual(forbidden)
    expect(await run(world, 'deploy', 'acme/shop', '--force', ...WHY)).toEqual(forbidden)
    world.writeConfig({ entry: { force: true } })
    await world.reload()
    expect(await run(world, 'force', NAME)).toEqual({
      code: 2,
      out: '',
      err: 'ferryman: Force needs a reason.\n  Say it with --reason TEXT; everybody reads it.\n',
    })
    expect(world.statuses(deployment).every((one) => one.startsWith('queued'))).toBe(true)
  })
})
