import { createServer } from 'node:http'

import { expect, test } from 'vitest'

import { checkSlack } from '../../src/commands/check-slack.ts'
import { listen } from '../support/loopback.ts'

test('an address that does not answer is told by the word of the system alone, since the address is a secret', async () => {
  const port = await listen(createServer())
  const webhookUrl = `https://127.0.0.1:${port}/services/secret`

  const slack = { webhookUrl, events: ['failed'], everyFailure: false } as const
  const findings = []
  for await (const finding of checkSlack({ slack, repositories: new Map() })) findings.push(finding)

  expect(findings).toEqual([
    {
      mark: 'wrong',
      text: 'Slack: the address does not answer (ERR_SSL_WRONG_VERSION_NUMBER)',
      hint: 'Check slack.webhook_url and the network.',
    },
  ])
})
