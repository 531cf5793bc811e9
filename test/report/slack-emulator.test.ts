import { createEmulator } from 'emulate'
import { expect, test } from 'vitest'

import { freePort } from '../support/needs.ts'
import { serve } from '../support/journey.ts'

const BOT = 'xoxb-a-bot-for-tests'

test('an independent Slack takes every message, the hostile ones too', async () => {
  const slack = await createEmulator({
    service: 'slack',
    port: await freePort(),
    seed: { tokens: { [BOT]: { login: 'U000000001', scopes: ['channels:history'] } } },
  })
  try {
    const world = await serve({
      commands: [['sh', '-c', 'echo "error: <!channel> & *bold* `x`" >&2; test "$GITHUB_REF" = main']],
      config: { slack: { webhook_url: `${slack.url}/services/T000000001/B000000001/X000000001` } },
    })
    world.github.setBranch('acme/shop', '<https://evil.example|main>&`', world.sha)

    await world.status(await world.deploy(), 'success')
    await world.status(await world.deploy({ ref: '<https://evil.example|main>&`' }), 'failure')
    await world.stop()

    expect(
      world.journal
        .filter((line) => line.includes('"channel":"slack"'))
        .map((line) => (JSON.parse(line) as { event: string }).event),
    ).toEqual(Array.from({ length: 4 }, () => 'report:delivered'))
    const inspector = await fetch(`${slack.url}/?tab=messages`).then((response) => response.text())
    expect(inspector).toContain('Deployed acme/shop/production#1')
    expect(inspector).toContain('Could not deploy acme/shop/production#2')
    expect(inspector).not.toContain('<!channel>')
  } finally {
    await slack.close()
  }
})
