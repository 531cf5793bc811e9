import { expect, test } from 'vitest'

import { fileOf, keyOf, titleOf } from '../../../src/run/publish/names.ts'

const named = (environment: string) => ({ repository: 'acme/shop', environment, number: 12 })

test.each([
  ['production', 'acme-shop-production-12.log', 'acme/shop/production/12-r.log'],
  ['review/42', 'acme-shop-review-42-12.log', 'acme/shop/review/42/12-r.log'],
  ['../../etc', 'acme-shop-..-..-etc-12.log', 'acme/shop/-/-/etc/12-r.log'],
  ['a b?c#é', 'acme-shop-a-b-c--12.log', 'acme/shop/a-b-c-/12-r.log'],
  ['a//b', 'acme-shop-a--b-12.log', 'acme/shop/a/-/b/12-r.log'],
])('of %s the file is %s, and the object %s', (environment, file, key) => {
  expect(fileOf(named(environment))).toBe(file)
  expect(keyOf(named(environment), 'r')).toBe(key)
})

test('a name of any length has a file and a title', () => {
  expect(fileOf(named('x'.repeat(255)))).toHaveLength(207)
  expect(titleOf(named('production'), 'failed')).toBe('acme/shop/production#12: failed')
  expect(titleOf(named('x'.repeat(255)), 'failed')).toHaveLength(208)
})
