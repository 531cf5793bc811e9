import { expect, test } from 'vitest'

import { askServer } from '../../src/commands/client.ts'
import { ferryman, type Ran } from '../support/cli.ts'
import { mayReadCode, serve, type Served } from '../support/journey.ts'
import { openShop } from '../support/merging.ts'

const HOUR = 60 * 60_000
const DEMANDS = { entry: { approval: true } }
const prepare = mayReadCode

/** What `ferryman approve` says to a person of that login name. */
const approve = (world: Served, by: string, ...words: string[]): Promise<Ran> =>
  ferryman(['approve', ...words, '-c', world.configFile], { env: { SUDO_USER: by } })
const held = (world: Served, detail: string) =>
  world.waitForJournal((line) => line.includes('"deployment:held"') && line.includes(detail))
const claimed = (world: Served) => world.journal.filter((line) => line.includes('"deployment:claimed"'))
const FIRST = 'acme/shop/production#1'

test('a merge waits for somebody else than whoever made or merged it, and everybody reads who agreed', async () => {
  const shop = await openShop(DEMANDS)
  const sha = await shop.commit('Faster')
  await shop.merge(sha) // mona merges what octo has written
  await held(shop, 'Waiting for approval by somebody other than mona and octo')
  expect(shop.repository.deployments).toEqual([])

  const refused = [await approve(shop, 'Mona', FIRST), await approve(shop, 'octo', FIRST)]
  expect(claimed(shop)).toEqual([])
  const done = await approve(shop, 'ann', FIRST)
  const deployment = await shop.made(sha)
  await shop.status(deployment, 'success')
  const message = await shop.slack.waitFor(({ text }) => text?.startsWith('Deployed') ?? false)

  for (const { code, err } of refused)
    expect({ code, err }).toEqual({
      code: 1,
      err: expect.stringMatching(
        /^ferryman: (Mona|octo) has made or asked for acme\/shop\/production#1, and another person has to approve it\.\n/,
      ) as string,
    })
  expect(done).toEqual({
    code: 0,
    out: expect.stringMatching(
      new RegExp(`^${FIRST} \\(${sha.slice(0, 7)}\\) is approved by ann until 20.* UTC\\.\n$`),
    ) as string,
    err: '',
  })
  expect(shop.statuses(deployment)).toContain(
    `in_progress: Deploying ${sha.slice(0, 7)} as ${FIRST}, approved by ann`,
  )
  expect(JSON.stringify(message)).toContain('#1 by mona (through ferryman-robot), approved by ann')
})

test('whose commit it is that somebody asks for by its id is asked of GitHub; without its answer nobody approves', async () => {
  const world = await serve({ prepare, entry: { deploy_on: 'none', approval: true } })
  const merge = { number: 7, title: 'Sell tea', author: 'ann', by: 'mona', method: 'squash' } as const
  const { sha } = await world.github.merge('acme/shop', merge)
  world.github.fail({ path: /\/pulls/, times: 100, with: { status: 404, body: { message: 'Not Found' } } })
  const deployment = await world.deploy({ ref: sha }, 'bob')
  await world.waitForJournal((line) => line.includes('"deployment:held"') && line.includes('github_forbids'))

  const early = await approve(world, 'carol', FIRST)
  world.github.mend()
  const own = await approve(world, 'ann', FIRST)
  await held(world, 'Waiting for approval by somebody other than bob and ann')
  expect(claimed(world)).toEqual([])
  await approve(world, 'carol', FIRST)
  await world.status(deployment, 'success')

  expect(early.err).toContain(
    `GitHub could not be asked whose change ${FIRST} is: GitHub answered 404: Not Found`,
  )
  expect(own.err).toContain(`ann has made or asked for ${FIRST}`)
})

test('an approval is of one commit: the next one asks anew, and whoever asked on GitHub may not', async () => {
  const world = await serve({ prepare, entry: { approval: { by: ['ann', 'mona'] } } })
  const first = await world.deploy()
  await held(world, 'Waiting for approval by ann')
  const stranger = await approve(world, 'mallory', FIRST)
  const asker = await approve(world, 'mona', FIRST)
  await approve(world, 'ann', FIRST)
  await world.status(first, 'success')

  const { sha } = world.github.addCommits('acme/shop', [{ message: 'Next' }])[0] ?? { sha: '' }
  const second = await world.deploy()
  await world.waitForJournal((line) => line.includes('"deployment:held"') && line.includes('production#2'))

  expect(second.sha).toBe(sha)
  expect(stranger.err).toContain(
    'mallory is not among those who may approve what goes to acme/shop/production: ann, mona.',
  )
  expect(asker.err).toContain('mona has made or asked for acme/shop/production#1')
  expect(claimed(world)).toHaveLength(1)
})

test('an approval survives a restart, ends by itself, and what waited on it says so', async () => {
  const world = await serve({ prepare, entry: { approval: { expires: '2h' } } })
  const deployment = await world.deploy()
  await held(world, 'Waiting for approval')
  await ferryman(['lock', '--everything', '--reason', 'lunch', '-c', world.configFile])
  const done = await approve(world, 'ann', FIRST)
  await held(world, 'Everything is locked')
  await world.restart({ laterMs: HOUR })
  await world.restart({ laterMs: HOUR })
  await ferryman(['unlock', '--everything', '-c', world.configFile])
  await held(world, 'The approval by ann ended')

  expect(done.out).toMatch(/It still waits: Everything is locked by \w+: lunch\.\n$/)
  expect(claimed(world)).toEqual([])
  await approve(world, 'bob', FIRST)
  await world.status(deployment, 'success')
})

const UNTIL_GO = [['sh', '-c', 'until [ -e go ]; do sleep 0.05; done']]

test('who has agreed may take that back as long as it has not begun; it waits again then', async () => {
  const world = await serve({ ...DEMANDS, prepare, commands: UNTIL_GO })
  const lock = await ferryman(['lock', '--everything', '--reason', 'lunch', '-c', world.configFile])
  await world.deploy()
  await held(world, 'lunch')
  await approve(world, 'ann', FIRST)

  const foreign = await approve(world, 'bob', FIRST, '--undo')
  const back = await approve(world, 'ann', FIRST, '--undo')
  await ferryman(['unlock', '--everything', '-c', world.configFile])
  await held(world, 'Waiting for approval')

  expect(lock.code).toBe(0)
  expect(foreign.err).toContain(`bob has not approved ${FIRST}.`)
  expect(back.out).toMatch(/^ann has taken the approval of acme\/shop\/production#1 \(\w{7}\) back\.\n$/)
  expect(claimed(world)).toEqual([])
})

test('what has begun or ended cannot be agreed to any more, and one is told what became of it', async () => {
  const world = await serve({ ...DEMANDS, prepare, commands: UNTIL_GO })
  const deployment = await world.deploy()
  await held(world, 'Waiting for approval')
  await approve(world, 'bob', '1', '--json')
  await world.status(deployment, 'in_progress')

  const late = [await approve(world, 'bob', FIRST, '--undo'), await approve(world, 'ann', FIRST)]
  await ferryman(['cancel', FIRST, '-c', world.configFile])
  await world.status(deployment, 'error')
  const ended = await approve(world, 'ann', FIRST)

  for (const { err } of late) expect(err).toContain(`${FIRST} has begun already: it is running.`)
  expect(ended.err).toMatch(/acme\/shop\/production#1 has ended already: cancelled, Cancelled by \w+\./)
})

test('where nobody has to agree, that is said; nothing is approved by being looked at', async () => {
  const world = await serve()
  await ferryman(['lock', '--everything', '--reason', 'lunch', '-c', world.configFile])
  await world.deploy()
  await held(world, 'lunch')

  const needless = await approve(world, 'ann', FIRST)
  const looking = askServer(
    { config: world.configFile, dataDir: undefined },
    { method: 'GET', path: '/api/deployments/1/approve' },
  )

  expect(needless.err).toContain('Nobody has to approve what goes to acme/shop/production.')
  await expect(looking).rejects.toMatchObject({ code: 'server_differs' }) // there is no such route
})
