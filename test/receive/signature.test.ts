import { Webhooks } from '@octokit/webhooks'
import fc from 'fast-check'
import { expect, test } from 'vitest'

import { createSignatureCheck } from '../../src/receive/signature.ts'

const SECRET = "It's a Secret to Everybody"
const PUBLISHED = 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17'
const HELLO = [Buffer.from('Hello, '), Buffer.from('World!')]
const LARGE = 'π and more '.repeat(50_000)

test('the signature of the published example is right, and no other', async () => {
  const signed = createSignatureCheck([SECRET])

  expect(await signed(HELLO, PUBLISHED)).toEqual({
    bytes: Buffer.from('Hello, World!'),
    text: 'Hello, World!',
  })
  for (const wrong of [
    '',
    'sha256=',
    PUBLISHED.slice(0, -1),
    `${PUBLISHED}0`,
    PUBLISHED.replace(/7$/, '8'),
    'é'.repeat(71),
  ])
    expect(await signed(HELLO, wrong)).toBeUndefined()
  expect(await signed([Buffer.from('Hello, World')], PUBLISHED)).toBeUndefined()
  expect(await signed([], PUBLISHED)).toBeUndefined()
  expect(await createSignatureCheck(['another'])(HELLO, PUBLISHED)).toBeUndefined()
  expect(await createSignatureCheck([])(HELLO, PUBLISHED)).toBeUndefined()
})

test('any of the secrets may have signed', async () => {
  expect(await createSignatureCheck(['the-new-one', SECRET])(HELLO, PUBLISHED)).toBeDefined()
})

test('bytes that are no UTF-8 are never signed', async () => {
  const bytes = Buffer.from([0x7b, 0xff, 0x7d])
  const signature = await new Webhooks({ secret: SECRET }).sign(bytes.toString('utf8'))

  expect(await createSignatureCheck([SECRET])([bytes], signature)).toBeUndefined()
})

test('whatever is signed, large or small, and however it comes in pieces, the answer is that of @octokit/webhooks', async () => {
  const text = fc.string({ minLength: 1, maxLength: 200, unit: 'grapheme' })
  await fc.assert(
    fc.asyncProperty(
      text,
      text,
      text,
      fc.nat(200),
      fc.boolean(),
      async (secret, other, end, cut, isLarge) => {
        const body = isLarge ? LARGE + end : end
        const webhooks = new Webhooks({ secret })
        const bytes = Buffer.from(body)
        const pieces = [bytes.subarray(0, cut), bytes.subarray(cut)]
        for (const signedWith of [secret, other]) {
          const signature = await new Webhooks({ secret: signedWith }).sign(body)
          const isRight = await webhooks.verify(body, signature)
          const signed = await createSignatureCheck([secret])(pieces, signature)
          expect(signed?.text).toBe(isRight ? body : undefined)
        }
      },
    ),
    { numRuns: 200 },
  )
})
