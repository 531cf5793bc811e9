import { expect, test } from 'vitest'

import { postToSlack } from '../../src/report/slack-channel.ts'
import { slackMessageOf } from '../../src/report/slack-message.ts'
import { slackForTest } from '../support/doubles.ts'

const MESSAGE = slackMessageOf('Deployed', 'Deployed')

test.each([
  ['a page of a proxy', { status: 200, body: '<html>Sign in</html>' }, 'A page answered for Slack'],
  ['an endless answer', { status: 200, body: 'o'.repeat(100_000) }, 'Slack did not answer'],
  ['a word', { status: 403, body: 'action_prohibited' }, 'Slack answered 403: action_prohibited'],
])('%s is no message taken', async (_name, answer, message) => {
  const slack = await slackForTest()
  slack.fail({ with: answer })

  await expect(postToSlack({ url: slack.url }, MESSAGE)).rejects.toThrow(message)
})

test('what imitates Slack may say it in its own words', async () => {
  const slack = await slackForTest()
  slack.fail({ with: { status: 200, body: '{"success":true}' } })

  await expect(postToSlack({ url: slack.url }, MESSAGE)).resolves.toBeUndefined()
})

test('a message that is under way ends when it is told to', async () => {
  const slack = await slackForTest()
  slack.fail({ with: 'hang' })
  const ended = new AbortController()

  const posting = postToSlack({ url: slack.url, signal: ended.signal }, MESSAGE)
  await slack.waitForRequest(() => true)
  ended.abort()

  await expect(posting).rejects.toThrow('Slack did not answer')
})
