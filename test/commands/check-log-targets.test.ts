import { expect, test } from 'vitest'

import { checkLogTargets } from '../../src/commands/check-log-targets.ts'
import { lineFor } from '../../src/commands/findings.ts'
import { createMasker } from '../../src/logs/redact.ts'
import { load } from '../config/written.ts'
import { shopAtGitHub } from '../support/doubles.ts'

/** What is found about `log_to`; `mona-token` is the server's own. */
async function found(logTo: string, { isPrivate = true, more = '' } = {}): Promise<string> {
  const { github } = await shopAtGitHub()
  github.addRepository('acme/open', { isPrivate })
  github.addToken('with-gists', { type: 'classic', login: 'logs', scopes: ['gist'] })
  github.addToken('fine-grained', { type: 'fine-grained', login: 'logs', permissions: {} })
  const config = load(
    `github: {webhook_secret: '0123456789abcdef', token: mona-token, api_url: '${github.url}'}\n` +
      `repositories: {acme/open: {folder: /srv/shop, commands: [[id]], log_to: ${logTo}${more}}}\n`,
  )
  const environment = { AWS_EC2_METADATA_DISABLED: 'true', HOME: '/nonexistent' }
  const server = { environment, user: { name: 'x', home: '/nonexistent', shell: '/bin/sh' } }
  let said = ''
  for await (const finding of checkLogTargets(config, { version: 'test', masker: createMasker([]), server }))
    said += lineFor(finding, false)
  return said
}

test.each([
  ['none', ''],
  ['{gist: {token: with-gists}}', '✔ log_to: logs become secret gists of logs\n'],
  [
    'gist',
    '✘ log_to: the token of mona may make no gists (scopes: repo)\n    Give it the scope gist; or name another token: `log_to: {gist: {token: …}}`.\n',
  ],
  [
    '{gist: {token: fine-grained}}',
    '! log_to: whether the token of logs may make gists cannot be seen\n    A fine-grained token needs the account permission "Gists: read and write".\n',
  ],
  ['{gist: {token: unknown}}', '✘ log_to: the token for gists is not valid\n    Make a new one.\n'],
  [
    '{s3: "s3://logs/of", access_key_id: a, secret_access_key: b}',
    '✔ log_to: logs go to s3://logs/of/ with the credentials of the configuration\n',
  ],
  [
    '{s3: "s3://logs"}',
    '✘ log_to: There are no credentials for S3 in the configuration (s3), /nonexistent/.amazon/account-key, AWS_ACCESS_KEY_ID and the role of this machine (it is not to be asked).\n    Write access_key_id and secret_access_key beside s3, or key_file.\n',
  ],
])('of log_to: %s it is said: %s', async (logTo, said) => {
  expect(await found(logTo)).toBe(said)
})

test('that a public repository shows its logs to everybody is said, unless that is meant', async () => {
  const logTo = '{gist: {token: with-gists}}'
  const warning =
    '! log_to: acme/open is public, so that everybody can read the logs that its statuses link to\n    Write `public_logs: true` where that is meant, else `log_to: none`.\n'

  expect(await found(logTo, { isPrivate: false })).toContain(warning)
  expect(await found(logTo, { isPrivate: false, more: ', public_logs: true' })).not.toContain('public')
})
