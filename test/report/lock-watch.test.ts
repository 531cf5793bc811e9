import { expect, onTestFinished, test } from 'vitest'

import type { EnvironmentConfig, RepositoryConfig, SlackNotices } from '../../src/config/config.ts'
import { lockReminder, startLockWatch } from '../../src/report/lock-watch.ts'
import { postToSlack } from '../../src/report/slack-channel.ts'
import { addressesAt } from '../../src/report/slack-recipients.ts'
import { openStore } from '../../src/store/sql-store.ts'
import { slackForTest } from '../support/doubles.ts'
import { environmentConfig, newDeployment, queuedIntake, slackNotices } from '../support/samples.ts'
import { emptyDatabase } from '../support/stores.ts'

const HOUR = 60 * 60_000
const DAY = 24 * HOUR
const LOCK = {
  place: 'acme/shop/production',
  reason: 'moving the database',
  by: 'ann',
  since: 0,
  until: undefined,
}
const FIRST =
  'acme/shop/production has been locked for 1 day by ann: moving the database. 1 deployment waits. `ferryman unlock acme/shop production` frees it.'

/** A store with a lock that was taken at 0, looked at by the watch of a new server each time. */
async function watchOver() {
  const database = await emptyDatabase.sqlite()
  const store = await openStore(database.address)
  const slack = await slackForTest()
  onTestFinished(async () => {
    await store.close()
    await database.drop()
  })
  const journal: string[] = []
  const addresses = [slack.url]
  const write = (event: string, fields: object = {}) =>
    void journal.push(`${event} ${JSON.stringify(fields)}`)
  const watch = (at: () => number, everyMs: number | 'off' = DAY, isConfigured = true) =>
    startLockWatch({
      locks: store.locks,
      store,
      everyMs: () => (everyMs === 'off' ? undefined : everyMs),
      addresses: () => (isConfigured ? addresses : []),
      post: (url, message) => postToSlack({ url }, message),
      mask: (text) => text.replaceAll('hunter2', '•••'),
      clock: at,
      journal: { info: write, warn: write, error: write },
    })
  const look = async (at: number, everyMs?: number | 'off', isConfigured?: boolean): Promise<void> =>
    watch(() => at, everyMs, isConfigured).stop()
  const hold = async (environment: string, reason: 'locked' | 'outside_windows' = 'locked') => {
    const held = { reason, detail: 'held', since: 0, until: undefined }
    await store.accept([queuedIntake(newDeployment({ environment, hold: held }))])
  }
  await store.locks.take(LOCK)
  return {
    store,
    slack,
    addresses,
    journal,
    look,
    watch,
    hold,
    told: () => slack.messages.map(({ text }) => text),
  }
}

test('Slack is reminded when a day has passed, and each further day, once over restarts', async () => {
  const { look, hold, told } = await watchOver()
  await hold('Production')
  await hold('staging')
  await hold('production', 'outside_windows')

  await look(DAY - 1)
  expect(told()).toEqual([])
  await look(DAY)
  await look(DAY + HOUR)
  await look(2 * DAY - 1)
  expect(told()).toEqual([FIRST])
  await look(2 * DAY + HOUR)
  await look(3 * DAY)
  expect(told().slice(1)).toEqual([FIRST.replace('1 day', '2 days 1 h')])
})

test('what Slack did not take is said again at the next look', async () => {
  const { look, hold, told, slack, journal } = await watchOver()
  await hold('production')
  slack.fail({ with: { status: 500, body: 'no' } })

  await look(DAY)
  expect(journal).toEqual([expect.stringContaining('lock:not-reminded')])
  await look(DAY + 1)

  expect(told()).toEqual([FIRST])
})

test('every address is reminded once, although another does not answer', async () => {
  const { watch, store, slack, addresses, journal } = await watchOver()
  const [broken, third] = [slack.addWebhook(), slack.addWebhook()]
  addresses.push(broken, third)
  slack.fail({ path: new RegExp(`^${new URL(broken).pathname}$`), with: { status: 500, body: 'no' } })

  const watching = watch(() => DAY)
  await slack.waitFor(({ to }) => to === third)
  expect((await store.locks.all(DAY))[0]?.remindedAt).toBeUndefined()
  watching.wake()
  await slack.waitFor(({ to }) => to === broken)
  await watching.stop()

  expect(slack.messages.map(({ to }) => to)).toEqual([slack.url, third, broken])
  expect(journal.map((line) => line.split(' ')[0])).toEqual(['lock:not-reminded', 'lock:old'])
  expect((await store.locks.all(DAY))[0]?.remindedAt).toBe(DAY)
})

test('who is told of a lock are those who are told of what it covers', () => {
  const told = (url: string) => slackNotices({ webhookUrl: url })
  const at = (name: string, slack: SlackNotices | undefined) =>
    [name.toLowerCase(), environmentConfig({ name, slack })] as const
  const repository = (...environments: readonly (readonly [string, EnvironmentConfig])[]) =>
    ({ name: 'Acme/Shop', environments: new Map(environments) }) as RepositoryConfig
  const config = {
    slack: told('general'),
    repositories: new Map([
      [
        'acme/shop',
        repository(at('Production', told('own')), at('staging', told('general')), at('qa', undefined)),
      ],
      ['acme/blog', repository(at('production', told('blog')), at('staging', told('blog')))],
    ]),
  }

  expect(addressesAt('acme/shop/production', config)).toEqual(['own'])
  expect(addressesAt('acme/shop/qa', config)).toEqual([])
  expect(addressesAt('acme/shop', config)).toEqual(['own', 'general'])
  expect(addressesAt('acme/blog', config)).toEqual(['blog'])
  expect(addressesAt('*', config)).toEqual(['general', 'own', 'blog'])
  expect(addressesAt('acme/gone/production', config)).toEqual(['general'])
  expect(addressesAt('acme/gone', { ...config, slack: undefined })).toEqual([])
})

test('a failure that lasts is logged once', async () => {
  const { watch, slack, journal } = await watchOver()
  slack.fail({ with: { status: 500, body: 'no' }, times: 2 })

  const watching = watch(() => DAY)
  await slack.waitForRequest(() => true)
  watching.wake()
  await slack.waitForRequest(() => slack.requests.length === 2)
  await watching.stop()

  expect(journal.filter((line) => line.includes('lock:not-reminded'))).toHaveLength(1)
})

test('nobody is reminded of a lock that was freed or is over, nor where reminders are off', async () => {
  const { look, store, told } = await watchOver()
  await store.locks.take({ ...LOCK, place: 'acme/blog', until: DAY })

  await look(DAY, 'off')
  await store.locks.free(1)
  await look(2 * DAY)

  expect(told()).toEqual([])
})

test('a clock that was wrong for a while costs one reminder at most, and none afterwards', async () => {
  const { look, told } = await watchOver()

  await look(3650 * DAY)
  await look(DAY)
  await look(DAY + HOUR)

  expect(told()).toHaveLength(2)
})

test('without Slack the log says it; no secret and no name of somebody becomes more than text', async () => {
  const { look, store, slack, journal } = await watchOver()
  await store.locks.take({ ...LOCK, place: '*', reason: 'hunter2 <!channel>', by: '<@U1>' })

  await look(DAY, DAY, false)
  await look(2 * DAY)

  expect(journal[0]).toBe('lock:old {"lock":1,"place":"acme/shop/production","by":"ann","waiting":0}')
  expect(slack.messages.map(({ text }) => text)[1]).toBe(
    'Everything has been locked for 2 days by &lt;@U1&gt;: ••• &lt;!channel&gt;. Nothing waits for it. `ferryman unlock --everything` frees it.',
  )
})

test('the command names the place, or the number of the lock where a name needs quotes', () => {
  const commandFor = (place: string) =>
    /`(.*)`/.exec(lockReminder({ ...LOCK, id: 7, place, reason: 'a `quick` fix.' }, HOUR * 1.5, 2))?.[1]

  expect(lockReminder({ ...LOCK, id: 7, reason: 'a `quick` fix.' }, HOUR * 1.5, 2)).toContain(
    "for 1 h 30 min by ann: a 'quick' fix. 2 deployments wait. ",
  )
  expect(['acme/shop', 'acme/shop/review/7', 'acme/shop/blue green', 'acme/shop/-x'].map(commandFor)).toEqual(
    [
      'ferryman unlock acme/shop',
      'ferryman unlock acme/shop review/7',
      'ferryman unlock --lock 7',
      'ferryman unlock --lock 7',
    ],
  )
})
