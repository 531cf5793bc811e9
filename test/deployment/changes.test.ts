import { expect, test } from 'vitest'

import { pullRequestIn } from '../../src/deployment/changes.ts'

test.each([
  ['Merge pull request #12 from mona/tea\n\nSell tea\n\nIt is hot.', 12, 'Sell tea'],
  ['Merge pull request #12 from mona/tea\r\n\r\nSell tea\r\n', 12, 'Sell tea'],
  ['Merge pull request #12 from mona/tea', 12, 'Merge pull request #12 from mona/tea'],
  ['Sell tea (#12)', 12, 'Sell tea'],
  ['Sell tea (#12)\n\n* boil it', 12, 'Sell tea'],
  ['Revert "Sell tea (#12)" (#13)', 13, 'Revert "Sell tea (#12)"'],
])('%j came by #%i', (message, number, title) => {
  expect(pullRequestIn(message)).toEqual({ number, title })
})

test.each([
  '',
  'Sell tea',
  'Mend #12',
  '(#12)',
  'Sell tea (#12) again',
  'Sell tea\n\n(#12)',
  'Merge branch main into tea',
  'Sell tea (#1234567890)',
])('%j came by none', (message) => {
  expect(pullRequestIn(message)).toBeUndefined()
})
