import { Webhooks } from '@octokit/webhooks'
import fc from 'fast-check'
import { expect, test } from 'vitest'

import { createSignatureCheck } from '../../src/receive/signature.ts'

const SECRET = "It's a Secret to Everybody"
const PUBLISHED = 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17'
const HELLO = [Buffer.from('Hello, World!')]

test('the signature of the published example is right, and no other', () => {
  const isSigned = createSignatureCheck([SECRET])

  expect(isSigned(HELLO, PUBLISHED)).toBe(true)
  for (const wrong of [
    '',
    'sha256=',
    PUBLISHED.slice(0, -1),
    `${PUBLISHED}0`,
    PUBLISHED.replace(/7$/, '8'),
    'é'.repeat(71),
  ])
    expect(isSigned(HELLO, wrong)).toBe(false)
  expect(isSigned([Buffer.from('Hello, World')], PUBLISHED)).toBe(false)
  expect(createSignatureCheck(['another'])(HELLO, PUBLISHED)).toBe(false)
  expect(createSignatureCheck([])(HELLO, PUBLISHED)).toBe(false)
})

test('any of the secrets may have signed', () => {
  expect(createSignatureCheck(['the-new-one', SECRET])(HELLO, PUBLISHED)).toBe(true)
})

test('whatever is signed, and however it comes in pieces, the answer is that of @octokit/webhooks', async () => {
  const text = fc.string({ minLength: 1, maxLength: 200, unit: 'grapheme' })
  await fc.assert(
    fc.asyncProperty(text, text, text, fc.nat(200), async (secret, other, body, cut) => {
      const webhooks = new Webhooks({ secret })
      const bytes = Buffer.from(body)
      const pieces = [bytes.subarray(0, cut), bytes.subarray(cut)]
      for (const signedWith of [secret, other]) {
        const signature = await new Webhooks({ secret: signedWith }).sign(body)
        expect(createSignatureCheck([secret])(pieces, signature)).toBe(await webhooks.verify(body, signature))
      }
    }),
    { numRuns: 300 },
  )
})
