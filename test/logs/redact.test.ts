import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createMasker } from '../../src/logs/redact.ts'
import type { MaskStream } from '../../src/logs/mask-stream.ts'
import { formsOf } from '../../src/logs/secret-forms.ts'

const SECRET = 'pa$$w0rd/with "quotes" & ümläut'
const TOKEN = `ghp_${'a1B2'.repeat(9)}`

test('a known secret is masked in every spelling', () => {
  const { mask } = createMasker([SECRET])
  const basic = Buffer.from(`x-access-token:${SECRET}`).toString('base64')
  const basicUrl = Buffer.from(`{"user":"me","password":"${SECRET}"}`).toString('base64url')

  const masked = [
    SECRET,
    encodeURIComponent(SECRET),
    new URLSearchParams({ password: SECRET }).toString(),
    JSON.stringify({ password: SECRET }),
  ].map((text) => mask(`before ${text} after`))
  expect(masked).toEqual([
    'before ••• after',
    'before ••• after',
    'before password=••• after',
    'before {"password":"•••"} after',
  ])
  expect(mask(basic)).toMatch(/^\w+•••=*.?$/)
  expect(mask(basicUrl)).toMatch(/^\w+•••.{0,6}$/)
})

test('of secrets that live for hours the newest are masked, and so is every other one for good', () => {
  const { add, mask } = createMasker([])
  const token = (hour: number) => `token-of-hour-${hour}-0123456789`

  add([SECRET])
  for (let hour = 0; hour < 200; hour++) add([token(hour), 'the-key-of-all-hours'], 'hours')

  expect(mask(token(199))).toBe('•••')
  expect(mask(token(150))).toBe('•••')
  expect(mask(token(0))).toBe(token(0))
  expect(mask('the-key-of-all-hours')).toBe('•••')
  expect(mask(SECRET)).toBe('•••')
})

const ODD = `it's a "p&ss"/<w> 100% ü`

test.each([
  ['as it is', ODD],
  ['in a URL', encodeURIComponent(ODD)],
  ['in a URL, in small letters', encodeURIComponent(ODD).replaceAll(/%../g, (one) => one.toLowerCase())],
  ['in a URL, as Python quotes it', 'it%27s%20a%20%22p%26ss%22/%3Cw%3E%20100%25%20%C3%BC'],
  ['in a whole URL', encodeURI(ODD)],
  ['in a form', new URLSearchParams({ x: ODD }).toString().slice(2)],
  ['in JSON', JSON.stringify(ODD).slice(1, -1)],
  ['in JSON of ASCII alone', String.raw`it's a \"p&ss\"/<w> 100% \u00fc`],
  ['in JSON of ASCII alone, in capitals', String.raw`it's a \"p&ss\"/<w> 100% \u00FC`],
  ['in JSON as PHP writes it', String.raw`it's a \"p&ss\"\/<w> 100% \u00fc`],
  ['in JSON as Go writes it', String.raw`it's a \"p\u0026ss\"/\u003cw\u003e 100% ü`],
  ['in JSON in JSON', JSON.stringify(JSON.stringify(ODD)).slice(3, -3)],
  ['in HTML', 'it&#39;s a &quot;p&amp;ss&quot;/&lt;w&gt; 100% ü'],
  ['in HTML as Go writes it', 'it&#39;s a &#34;p&amp;ss&#34;/&lt;w&gt; 100% ü'],
  ['in a message to Slack', `it's a "p&amp;ss"/&lt;w&gt; 100% ü`],
  ['as YAML and SQL quote it', `it''s a "p&ss"/<w> 100% ü`],
  ['as sh -x shows it', String.raw`it'\''s a "p&ss"/<w> 100% ü`],
  ['as Python quotes it for a shell', `it'"'"'s a "p&ss"/<w> 100% ü`],
  ['as bash prints it with %q', String.raw`it\'s\ a\ \"p\&ss\"/\<w\>\ 100%\ ü`],
  ['as export -p shows it', String.raw`it's a \"p&ss\"/<w> 100% ü`],
])('a secret of odd characters is masked %s', (_, shown) => {
  expect(createMasker([ODD]).mask(`before ${shown} after`)).toBe('before ••• after')
})

const LONG = 'a long secret, such as the account of a service; '.repeat(4)

test.each([
  ['after 76 characters', 76, '\n'],
  ['after 76 characters, as mail has it', 76, '\r\n'],
  ['after 64 characters', 64, '\n'],
  ['after eight characters', 8, '\n'],
  ['in JSON', 60, String.raw`\n`],
])('a secret in base64 is masked where it is broken into lines %s', (_, width, lineBreak) => {
  const { mask } = createMasker([LONG])

  for (const before of ['', 'x', 'xy', 'x-access-token:', 'of any length '.repeat(7)]) {
    const encoded = Buffer.from(`${before}${LONG}`).toString('base64')
    const shown = mask(encoded.replaceAll(new RegExp(`.{${width}}(?=.)`, 'g'), `$&${lineBreak}`))

    const left = shown.replaceAll(lineBreak, '').split('•••')
    expect(left).toHaveLength(2)
    // What is left decodes to what stood around it, but for the bytes that secret and surroundings share.
    expect(
      before.startsWith(
        Buffer.from(left[0] ?? '', 'base64')
          .toString()
          .slice(0, before.length - 1),
      ),
    ).toBe(true)
    expect(left[1]?.length).toBeLessThan(5)
  }
})

test('a line is shown as soon as it is whole, although its last character may begin a secret', () => {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_'
  const { stream } = createMasker(Array.from({ length: 20 }, (_, index) => `a secret, the ${index * 7919}th`))

  for (const letter of letters) {
    const line = `first ${letter}\n`
    expect(stream().push(Buffer.from(line)).toString()).toBe(line)
  }
})

test('each line of a secret of several lines is masked, and so is its whole', () => {
  const { mask } = createMasker(['first-line\r\n  second-line\nxy\n'])

  expect(mask('a second-line, a first-line, xy')).toBe('a •••, a •••, xy')
  expect(mask('first-line\r\n  second-line\nxy')).toBe('•••')
})

test('words too short to be a secret change nothing', () => {
  const { mask } = createMasker(['abcde', '   a   ', '', '\n\n\n\n\n\n\n'])

  expect(mask('abcde    a    \n\n\n\n\n\n\n\n')).toBe('abcde    a    \n\n\n\n\n\n\n\n')
})

test('secrets that overlap or touch become one mask', () => {
  const { mask } = createMasker(['abcdef', 'defghi', 'password', 'password-and-more'])

  expect(mask('1 abcdefghi 2 password-and-more 3 abcdefpassword 4')).toBe('1 ••• 2 ••• 3 ••• 4')
})

test('a secret that was replaced stays masked, in streams that are open too', () => {
  const masker = createMasker(['old-secret'])
  const stream = masker.stream()

  masker.add(['new-secret'])

  expect(masker.mask('old-secret new-secret')).toBe('••• •••')
  expect(whole(stream, Buffer.from('old-secret new-secret')).toString()).toBe('••• •••')
})

test.each([
  ['a personal token', `token ${TOKEN}.`, 'token •••.'],
  ['an installation token of the old form', `ghs_${'x'.repeat(36)}`, '•••'],
  ['an installation token of the new form', `ghs_123456_${'eyJ-_.'.repeat(85)} ok`, '••• ok'],
  ['a fine-grained token', `github_pat_11ABC_${'d'.repeat(59)} ok`, '••• ok'],
  ['a token that is too short to be one', 'ghp_short github_pat_short', 'ghp_short github_pat_short'],
  [
    'an address of Slack',
    '<https://hooks.slack.com/services/T0/B0/xyz>',
    '<https://hooks.slack.com/services/•••>',
  ],
  ['a password in a URL', 'postgres://me:pass@word@db:5432/x', 'postgres://me:•••@db:5432/x'],
  ['a URL with a port and a user', 'http://me@host:80/a@b:c@d', 'http://me@host:80/a@b:c@d'],
  ['a URL at the end', 'see https://example.org:8080', 'see https://example.org:8080'],
  ['a header', '> authorization: Bearer abc.def-123\r', '> authorization: Bearer •••\r'],
  ['a header in JSON', '{"Authorization": "token abc"}', '{"Authorization": "token •••"}'],
  [
    'a header in JSON in JSON',
    '{\\"Authorization\\":\\"Basic YTpi\\"}',
    '{\\"Authorization\\":\\"Basic •••\\"}',
  ],
  ['a header of git', 'AUTHORIZATION: basic eDp5', 'AUTHORIZATION: basic •••'],
  [
    'an author, and a token of prose',
    'Author: Me; authorize a bearer of it',
    'Author: Me; authorize a bearer of it',
  ],
])('%s is masked as it should be, without being known', (_, text, masked) => {
  expect(createMasker([]).mask(text)).toBe(masked)
})

test('a private key is masked line by line, up to its end', () => {
  const { mask } = createMasker([])
  const key =
    '-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMIIE\r\nabc=\n-----END RSA PRIVATE KEY-----'

  expect(mask(`x\n${key}\ny`)).toBe(
    'x\n-----BEGIN RSA PRIVATE KEY-----\n•••\n\n•••\r\n•••\n-----END RSA PRIVATE KEY-----\ny',
  )
  expect(mask(JSON.stringify({ key }))).toBe(
    '{"key":"-----BEGIN RSA PRIVATE KEY-----•••-----END RSA PRIVATE KEY-----"}',
  )
  expect(mask('-----BEGIN CERTIFICATE-----\nMIIE\n')).toBe('-----BEGIN CERTIFICATE-----\nMIIE\n')
})

test('a private key without an end does not swallow the rest of the log', () => {
  const text = `-----BEGIN PRIVATE KEY-----\n${'line of a key\n'.repeat(4000)}`

  expect(createMasker([]).mask(text).endsWith('\nline of a key\n')).toBe(true)
})

test('a stream keeps back nothing of a text that cannot be the beginning of a secret', () => {
  const stream = createMasker(['s3cret-word']).stream()

  expect(stream.push(Buffer.from('Continue? [y/N] ')).toString()).toBe('Continue? [y/N] ')
  expect(stream.push(Buffer.from('the s3cret')).toString()).toBe('the ')
  expect(stream.push(Buffer.from('s are out')).toString()).toBe('s3crets are out')
  expect(stream.flush().toString()).toBe('')
})

test('a secret without end is swallowed without being kept', () => {
  const stream = createMasker([]).stream()
  const endless = Buffer.alloc(100_000, 'x')

  expect(stream.push(Buffer.from(`a ${TOKEN}`)).toString()).toBe('a •••')
  for (let i = 0; i < 100; i++) expect(stream.push(endless)).toHaveLength(0)
  expect(stream.push(Buffer.from('! b')).toString()).toBe('! b')
})

test('bytes that are not UTF-8 pass untouched', () => {
  const bytes = Buffer.from([0xff, 0xfe, 0x00, 0x80, 0xc3, 0x28, 0x0a])

  expect(whole(createMasker(['s3cret-word']).stream(), bytes)).toEqual(bytes)
})

const PIECES = [
  'pass', 'word', 'password', ' ', '\n', 'a', 'aaaaaa', '://', 'u:', '@', '/', 'ghp_', 'ghs_', 'a1B2'.repeat(5), '.',
  'Authorization', ': ', '"', 'Bearer ', 'hooks.slack.com/services/', '-----BEGIN RSA PRIVATE KEY-----', '-----END ',
  '-----', 'github_pat_', 'Zm9v', 'first-line', 'second-line', '•', 'ü',
] // prettier-ignore
const piece = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...PIECES) }, fc.string({ maxLength: 4 }))
const text = fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join(''))
const secrets = fc.array(
  fc.array(piece, { minLength: 1, maxLength: 4 }).map((pieces) => pieces.join('').replaceAll('•', '')),
  { maxLength: 4 },
)
const cuts = fc.array(fc.nat({ max: 12 }), { minLength: 1, maxLength: 30 })

test('however a text is cut, the same comes out of a stream', () => {
  fc.assert(
    fc.property(text, secrets, cuts, (text, secrets, sizes) => {
      const masker = createMasker(secrets)
      const stream = masker.stream()

      const output = chunks(Buffer.from(text), sizes).map((chunk) => Buffer.from(stream.push(chunk)))

      expect(Buffer.concat([...output, stream.flush()]).toString()).toBe(masker.mask(text))
    }),
    { numRuns: 5000 },
  )
})

test('no secret comes through in any spelling, wherever it stands and however it is cut', () => {
  const secret = fc.string({ minLength: 6, maxLength: 60, unit: 'grapheme' })
  fc.assert(
    fc.property(
      fc.array(secret, { minLength: 1, maxLength: 5 }),
      text,
      text,
      cuts,
      (secrets, before, after, sizes) => {
        const forms = secrets.filter((secret) => !secret.includes('•')).flatMap(allForms)
        const stream = createMasker(secrets).stream()
        const input = forms.map((form) => Buffer.from(before + form + after, 'latin1'))

        const output = chunks(Buffer.concat(input), sizes).map((chunk) => Buffer.from(stream.push(chunk)))

        const shown = Buffer.concat([...output, stream.flush()]).toString('latin1')
        expect(forms.filter((form) => shown.includes(form))).toEqual([])
      },
    ),
    { numRuns: 400 },
  )
}, 120_000)

test('until there is a secret, all that may begin one is kept back, and nothing else', () => {
  // Of letters with which no secret begins that gives itself away.
  const letters = fc.constantFrom('x', 'y', 'z')
  const words = fc.array(
    fc.array(letters, { minLength: 6, maxLength: 9 }).map((all) => all.join('')),
    {
      minLength: 1,
      maxLength: 3,
    },
  )
  const shown = fc.array(letters, { maxLength: 60 }).map((all) => all.join(''))
  fc.assert(
    fc.property(words, shown, cuts, (secrets, text, sizes) => {
      const forms = secrets.flatMap((secret) => {
        const { texts, base64 } = formsOf(secret)
        return [...texts, ...base64]
      })
      const stream = createMasker(secrets).stream()
      let [given, written] = ['', '']
      for (const chunk of chunks(Buffer.from(text), sizes)) {
        given += chunk.toString()
        written += stream.push(chunk).toString()
        if (forms.some((form) => given.includes(form))) return
        const tails = Array.from({ length: given.length + 1 }, (_, from) => given.slice(from))
        const kept = tails.find((tail) => tail === '' || forms.some((form) => form.startsWith(tail)))
        expect(written + kept).toBe(given)
      }
    }),
    { numRuns: 3000 },
  )
})

test('a text without a secret passes byte for byte', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), cuts, (bytes, sizes) => {
      const stream = createMasker(['s3cret-word', 'another-one']).stream()

      const output = chunks(Buffer.from(bytes), sizes).map((chunk) => Buffer.from(stream.push(chunk)))

      expect(Buffer.concat([...output, stream.flush()])).toEqual(Buffer.from(bytes))
    }),
  )
})

test('hostile text takes no more than linear time', () => {
  const { mask } = createMasker(['s3cret-word'])
  const hostile = [
    '://a:',
    'ghs_',
    'authorization: ',
    'Authorization:"Bearer ',
    '-----BEGIN PRIVATE KEY-----',
    '://',
    '@',
  ]

  for (const text of hostile) {
    const before = process.cpuUsage()
    mask(text.repeat(1_000_000 / text.length))
    const { user, system } = process.cpuUsage(before)
    expect((user + system) / 1e6).toBeLessThan(15) // seconds of a processor; quadratic time takes minutes
  }
})

/** In which a secret is known, base64 also broken into lines of seven characters. */
function allForms(secret: string): string[] {
  const { texts, base64 } = formsOf(secret)
  const wrapped = [...base64].map((form) => form.replaceAll(/.{7}(?=.)/g, '$&\n'))
  return [...texts, ...base64, ...wrapped]
}

/** Cuts into chunks of these sizes, over and over. */
function chunks(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const parts: Buffer[] = []
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = Math.max(1, sizes[i % sizes.length] ?? 1)
    parts.push(bytes.subarray(at, at + size))
    at += size
  }
  return parts
}

function whole(stream: MaskStream, bytes: Buffer): Buffer {
  return Buffer.concat([stream.push(bytes), stream.flush()])
}
