import { expect, onTestFinished, test } from 'vitest'

import { postToSlack } from '../../src/report/slack-channel.ts'
import { startTokenWatch } from '../../src/report/token-watch.ts'
import { openStore } from '../../src/store/sql-store.ts'
import { emptyDatabase } from '../support/stores.ts'
import { slackForTest } from '../support/doubles.ts'

const DAY = 24 * 60 * 60_000
const END = Date.UTC(2026, 11, 24, 13, 37)

/** A watch whose token ends then, looked at on other days; resolves when a look is over. */
async function watchFor() {
  const database = await emptyDatabase.sqlite()
  const store = await openStore(database.address)
  const slack = await slackForTest()
  onTestFinished(async () => {
    await store.close()
    await database.drop()
  })
  const journal: string[] = []
  const look = async (at: number, end: number | undefined = END, isConfigured = true): Promise<void> => {
    const write = (event: string, fields: object = {}) =>
      void journal.push(`${event} ${JSON.stringify(fields)}`)
    const watch = startTokenWatch({
      expiresAt: () => Promise.resolve(end),
      post: () => (isConfigured ? (message) => postToSlack({ url: slack.url }, message) : undefined),
      store: {
        noted: (name) => store.noted(name),
        note: (name, value) => store.note(name, value),
      },
      clock: () => at,
      journal: { info: write, warn: write, error: write },
    })
    await watch.stop()
  }
  return { look, slack, journal }
}

test('Slack hears two weeks before, once, and again when it is near', async () => {
  const { look, slack } = await watchFor()

  await look(END - 15 * DAY)
  expect(slack.messages).toHaveLength(0)
  await look(END - 14 * DAY + 1)
  await look(END - 13 * DAY)
  expect(slack.messages.map(({ text }) => text)).toEqual([
    "GitHub's token ends in 14 days, at 2026-12-24 13:37 UTC: after that Ferryman can neither report nor deploy. Make a new one and set `github.token`.",
  ])
  await look(END - 7 * DAY)
  await look(END - DAY + 1)
  await look(END + DAY)
  await look(END + 2 * DAY)
  expect(slack.messages.slice(1).map(({ text }) => text?.split(',')[0])).toEqual([
    "GitHub's token ends in 7 days",
    "GitHub's token ends in 1 day",
    expect.stringContaining("GitHub's token has ended"),
  ])
})

test('a new token is told of anew, one that lives for ever never', async () => {
  const { look, slack } = await watchFor()

  await look(END - 2 * DAY)
  await look(END - 2 * DAY, undefined)
  await look(END - 2 * DAY, END + DAY)

  expect(slack.messages).toHaveLength(2)
})

test('what Slack did not take is said again at the next look', async () => {
  const { look, slack, journal } = await watchFor()
  slack.fail({ with: { status: 500, body: 'no' } })

  await look(END - DAY)
  expect(journal.at(-1)).toContain('token:expiry-not-told')
  await look(END - DAY)

  expect(slack.messages.filter(({ text }) => text?.includes('ends in 1 day'))).toHaveLength(1)
})

test('without Slack the log says it; Slack hears of it when it is configured', async () => {
  const { look, slack, journal } = await watchFor()

  await look(END - DAY, END, false)
  expect(journal).toEqual([`token:expires {"days":1,"at":"2026-12-24T13:37:00.000Z"}`])
  await look(END - DAY)

  expect(slack.messages).toHaveLength(1)
})
