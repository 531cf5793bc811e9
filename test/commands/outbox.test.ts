import { expect, test } from 'vitest'

import { ferryman } from '../support/cli.ts'
import { SECRET, serve, TOKEN, type Served } from '../support/journey.ts'

const outbox = (world: Served, ...words: string[]) => ferryman(['outbox', ...words, '-c', world.configFile])

const STATUSES = /\/statuses$/
const refusal = { status: 422, body: { message: 'Validation Failed' } }

const ended = (world: Served) => world.waitForJournal((line) => line.includes('deployment:ended'))
const idsOf = async (world: Served, part: 'owed' | 'refused'): Promise<string[]> => {
  const { out } = await outbox(world, '--json')
  const listed = JSON.parse(out) as Record<typeof part, { reports: { id: number }[] }>
  return listed[part].reports.map(({ id }) => String(id))
}

test('says so when nothing is owed', async () => {
  const world = await serve({ slack: false })
  await world.status(await world.deploy(), 'success')
  await world.waitForJournal((line) => /report:delivered.*"report":3/.test(line))

  expect(await outbox(world)).toEqual({
    code: 0,
    out: 'Nothing is owed, and nothing was refused.\n',
    err: '',
  })
})

test('shows what waits with its reason and its time, and what was refused, and sends the newest again', async () => {
  const world = await serve()
  world.github.fail({ method: 'POST', path: STATUSES, times: 1_000, with: refusal })
  world.slack.fail({ times: 1_000, with: { status: 403, body: 'invalid_token' } })
  const deployment = await world.deploy()
  await ended(world)
  await world.waitForJournal((line) => /report:postponed.*slack/.test(line))
  await world.waitForJournal((line) => /report:refused.*"report":[45]/.test(line))

  const { code, out } = await outbox(world)

  expect(code).toBe(0)
  // The first message gives way, once it was tried, when the deployment has ended.
  expect(out).toMatch(/^Owed: [12], the oldest first\.\nID +TO +DEPLOYMENT +SAYS +TRIED +NEXT \(UTC\) +WHY\n/)
  expect(out).toMatch(/\n\d+ +slack +acme\/shop\/production#1 +Deployed /)
  expect(out).toMatch(/ \d{4}-\d\d-\d\d \d\d:\d\d:\d\d +Slack answered 403: invalid_token\n/)
  expect(out).toMatch(
    /Refused for good: [123], the newest first\.\nID +TO +DEPLOYMENT +SAYS +TRIED +REFUSED \(UTC\) +WHY\n/,
  )
  expect(out).toMatch(
    / github +acme\/shop\/production#1 +Deployed .* 1 +\d{4}-.* GitHub answered 422: Validation Failed\n/,
  )

  world.github.mend()
  const [newest = ''] = await idsOf(world, 'refused')
  const sent = await outbox(world, 'send', newest)
  await world.status(deployment, 'success')

  expect(sent.code).toBe(0)
  expect(sent.out).toMatch(new RegExp(`^${newest} goes to github now: acme/shop/production#1, Deployed `))
  expect(world.statuses(deployment)).toHaveLength(1)
  expect(world.journal.some((line) => /report:sent-again.*"by":"\w+"/.test(line))).toBe(true)

  world.slack.mend()
  await outbox(world, 'send', (await idsOf(world, 'owed')).at(-1) ?? '')
  await world.slack.waitFor(({ text }) => text?.startsWith('Deployed') === true)
})

test('sends no older word after a newer one, and nothing twice', async () => {
  const world = await serve({ slack: false })
  world.github.fail({ method: 'POST', path: STATUSES, times: 1, with: refusal })
  const deployment = await world.deploy()
  await world.status(deployment, 'success')
  await world.waitForJournal((line) => /report:delivered.*"report":3/.test(line))
  const told = world.statuses(deployment)
  expect(told).toHaveLength(2)

  expect((await outbox(world)).out).toMatch(/ GitHub answered 422: Validation Failed, overtaken by 3\n$/)
  const older = await outbox(world, 'send', '1')
  const delivered = await outbox(world, 'send', '3')
  const all = await outbox(world, 'send', 'refused')

  expect(older).toMatchObject({ code: 1, out: '' })
  expect(older.err).toContain('Report 1 is overtaken: 3 is newer, about the same deployment, and delivered.')
  expect(delivered).toMatchObject({ code: 1, out: '' })
  expect(delivered.err).toContain('Report 3 was delivered.')
  expect(all).toMatchObject({ code: 0, out: 'Nothing to send: newer words have overtaken 1.\n' })
  expect(world.statuses(deployment)).toEqual(told)
})

test('sends all that were refused, the newest of each deployment', async () => {
  const world = await serve({ slack: false })
  world.github.fail({ method: 'POST', path: STATUSES, times: 1_000, with: refusal })
  const first = await world.deploy()
  await world.waitForJournal((line) => /report:refused.*"report":3/.test(line))
  const second = await world.deploy()
  await world.waitForJournal((line) => /report:refused.*"report":6/.test(line))
  world.github.mend()

  const { code, out } = await outbox(world, 'send', 'refused')
  await world.status(first, 'success')
  await world.status(second, 'success')

  expect(code).toBe(0)
  expect(out).toMatch(/^2 go out now; newer words have overtaken [234]\. `ferryman outbox` shows/)
  expect([first, second].map((one) => world.statuses(one).length)).toEqual([1, 1])
})

test('a revoked token: everything waits for an hour, and goes at once when a new one is in the file', async () => {
  const world = await serve({ slack: false })
  world.github.revokeToken(TOKEN)
  const deployment = await world.deploy()
  await ended(world)
  await world.waitForJournal((line) => /report:postponed/.test(line))

  const { out } = await outbox(world)
  expect(out).toMatch(/^Owed: \d, the oldest first\.\n/)
  expect(out).toContain('GitHub answered 401: Bad credentials')
  expect(await outbox(world, 'send', (await idsOf(world, 'owed')).at(-1) ?? '')).toMatchObject({ code: 0 })

  const renewed = `ghp_${'fedcba9876543210'.repeat(2)}test`
  world.github.addToken(renewed, { login: 'ferryman-robot', type: 'classic', scopes: ['repo_deployment'] })
  world.writeConfig({
    slack: false,
    config: {
      github: { webhook_secret: SECRET, token: renewed, api_url: world.github.url },
    },
  })
  await world.reload()
  await world.status(deployment, 'success')
})

test.each([
  { words: ['send', '99'], code: 1, says: 'There is no report 99.' },
  { words: ['send'], code: 2, says: 'the number of a report, or `refused`' },
  { words: ['send', 'all'], code: 2, says: 'the number of a report, or `refused`' },
  { words: ['--limit', '0'], code: 2, says: 'limit (1 to 1000)' },
  { words: ['resend', '1'], code: 2, says: '"resend" is not understood.' },
])('says what is wrong with $words', async ({ words, code, says }) => {
  const world = await serve()

  const ran = await outbox(world, ...words)

  expect(ran).toMatchObject({ code, out: '' })
  expect(ran.err).toContain(says)
})
