import { expect, test } from 'vitest'

import { isDamaged, wasThere, whyNotPushed, whyNotReleased } from '../../../src/run/heroku/verdict.ts'

const PUSHED = {
  app: 'shop',
  url: 'https://git.heroku.com/shop.git',
  sha: '1234567890123456789012345678901234567890',
}
const DECLINED = [
  'To https://git.heroku.com/shop.git',
  ' ! [remote rejected] 1234567890123456789012345678901234567890 -> main (pre-receive hook declined)',
  "error: failed to push some refs to 'https://git.heroku.com/shop.git'",
]
const FAILED_BUILD = [
  'remote: -----> Build failed',
  'remote:        Some possible problems:',
  'remote:  !     Push rejected, failed to compile Node.js app.',
  'remote:  !     Push failed',
  'remote: Verifying deploy...',
  'remote: ! Push rejected to shop.',
  ...DECLINED,
]

test.each<[what: string, lines: readonly string[], reason: string, detail: string | RegExp]>([
  [
    'a build that failed, in the words of Heroku without its marks',
    FAILED_BUILD,
    'command_failed',
    'Heroku did not take 1234567 for shop: Push rejected, failed to compile Node.js app.',
  ],
  [
    'what went wrong in the build, where that was said',
    ['remote: npm ERR! Missing script: build', ...FAILED_BUILD],
    'command_failed',
    'Heroku did not take 1234567 for shop: npm ERR! Missing script: build',
  ],
  [
    'a refusal without a word',
    DECLINED,
    'command_failed',
    'Heroku did not take 1234567 for shop: pre-receive hook declined',
  ],
  [
    'a key that is not taken',
    ["fatal: Authentication failed for 'https://git.heroku.com/shop.git/'"],
    'target_unavailable',
    'Heroku does not take the key for shop: put a valid one where heroku.api_key says; `heroku authorizations:create` makes it. Nothing was pushed.',
  ],
  [
    'a key that is forbidden',
    ["fatal: unable to access 'https://git.heroku.com/shop.git/': The requested URL returned error: 403"],
    'target_unavailable',
    /^Heroku does not take the key/,
  ],
  [
    'an app that is not there',
    ['remote: ! No such app as shop.', "fatal: repository 'https://git.heroku.com/shop.git/' not found"],
    'target_unavailable',
    "Heroku has no app shop that this key may see: correct heroku.app, or give the key's account access. Nothing was pushed.",
  ],
  [
    'a network that is not there',
    ["fatal: unable to access 'https://git.heroku.com/shop.git/': Could not resolve host: git.heroku.com"],
    'target_unavailable',
    'https://git.heroku.com/shop.git cannot be reached, and nothing was pushed: Could not resolve host: git.heroku.com. Deploy it again when it answers.',
  ],
  [
    'a connection that broke off in the middle: then nobody knows',
    [
      'remote: -----> Installing dependencies',
      'error: RPC failed; HTTP 503 curl 22 The requested URL returned error: 503',
      'fatal: the remote end hung up unexpectedly',
    ],
    'command_failed',
    /^The connection to Heroku broke off while 1234567 was pushed to shop; what Heroku had begun goes on there by itself/,
  ],
  [
    'what else git says',
    ['fatal: out of memory'],
    'command_failed',
    '1234567 could not be pushed to shop: fatal: out of memory',
  ],
])('tells %s', (_, lines, reason, detail) => {
  const failure = whyNotPushed(lines, PUSHED)

  expect(failure.reason).toBe(reason)
  if (typeof detail === 'string') expect(failure.detail).toBe(detail)
  else expect(failure.detail).toMatch(detail)
})

test('what a build prints is not taken for what git says', () => {
  const lines = [
    'remote: Everything up-to-date',
    'remote: fatal: Authentication failed for some registry',
    'remote: error: pack-objects died of signal 9',
  ]

  expect(wasThere(lines)).toBe(false)
  expect(isDamaged(lines)).toBe(false)
  expect(whyNotPushed([...lines, ...DECLINED], PUSHED).detail).toMatch(/^Heroku did not take 1234567/)
  expect(wasThere(['Everything up-to-date'])).toBe(true)
  expect(isDamaged(['error: pack-objects died of signal 9'])).toBe(true)
})

test('a release command that fails is a failure, although git has pushed', () => {
  const begin = [
    'remote:  !     Release command declared: this new release will not be available until the command succeeds.',
    'remote:        Released v15',
    'remote: Verifying deploy... done.',
    'remote: Running release command...',
  ]
  const failed = [...begin, 'remote: PG::Error: no such table', 'remote: Waiting for release.... failed.']
  const done = [...begin, 'remote: migrated', 'remote: Waiting for release.... done.']

  expect(whyNotReleased(failed, PUSHED)).toEqual({
    reason: 'command_failed',
    detail:
      'Heroku built 1234567, but its release command failed, so that shop stays as it was: PG::Error: no such table. `heroku releases:retry --app shop` tries again',
  })
  expect(whyNotReleased(done, PUSHED)).toBeUndefined()
})
