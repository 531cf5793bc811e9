import { mkdirSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { staysInside, unpackZip, ZIP_LIMITS, type ZipLimits } from '../../../src/run/sources/zip.ts'
import { temporaryFolder } from '../../support/running.ts'
import { EXECUTABLE, LINK, zipOf, type ZipEntry } from '../../support/zips.ts'

const never = new AbortController().signal

async function unpack(archive: readonly ZipEntry[] | Buffer, limits: Partial<ZipLimits> = {}) {
  const directory = temporaryFolder()
  const file = join(directory, 'app.zip')
  const folder = join(directory, 'outer', 'release')
  mkdirSync(folder, { recursive: true })
  writeFileSync(file, Buffer.isBuffer(archive) ? archive : zipOf(archive))
  const unpacked = await unpackZip(file, folder, {
    signal: never,
    limits: { ...ZIP_LIMITS, ...limits },
  }).catch((thrown: unknown) => ({ thrown }))
  return { directory, folder, unpacked }
}

test('files, folders, executables and links that stay inside come out as they went in', async () => {
  const { folder, unpacked } = await unpack([
    { name: 'bin/', mode: 0o040755 },
    { name: 'bin/run', content: '#!/bin/sh\n', mode: EXECUTABLE },
    { name: './public/index.html', content: 'x'.repeat(5_000) },
    { name: 'secret', content: 'not for everybody', mode: 0o104666 },
    { name: 'empty/', mode: 0o040755 },
    { name: 'node_modules/.bin/run', content: '../../bin/run', mode: LINK },
    { name: 'Grüße ☂.txt', content: 'hello' },
  ])

  expect(unpacked).toEqual({ files: 5, bytes: 10 + 5_000 + 17 + 5 })
  expect(statSync(join(folder, 'bin/run')).mode & 0o7777).toBe(0o755)
  expect(statSync(join(folder, 'secret')).mode & 0o7777).toBe(0o644)
  expect(readFileSync(join(folder, 'public/index.html'), 'utf8')).toHaveLength(5_000)
  expect(readdirSync(join(folder, 'empty'))).toEqual([])
  expect(readlinkSync(join(folder, 'node_modules/.bin/run'))).toBe('../../bin/run')
  expect(readFileSync(join(folder, 'node_modules/.bin/run'), 'utf8')).toBe('#!/bin/sh\n')
  expect(readFileSync(join(folder, 'Grüße ☂.txt'), 'utf8')).toBe('hello')
})

type Case = readonly [
  what: string,
  archive: readonly ZipEntry[] | Buffer,
  sentence: string,
  limits?: Partial<ZipLimits>,
]

describe('what is refused before anything is written', () => {
  const whole = zipOf([{ name: 'a', content: 'x'.repeat(1_000) }])
  const cases: readonly Case[] = [
    ['a way up', [{ name: '../evil' }], 'The archive was refused: invalid relative path: ../evil.'],
    [
      'a way up in the middle',
      [{ name: 'a/../../evil' }],
      'The archive was refused: invalid relative path: a/../../evil.',
    ],
    [
      'a way up with the other slash',
      [{ name: String.raw`..\evil` }],
      'The archive was refused: invalid relative path: ../evil.',
    ],
    ['an absolute path', [{ name: '/etc/evil' }], 'The archive was refused: absolute path: /etc/evil.'],
    ['a drive', [{ name: 'C:/evil' }], 'The archive was refused: absolute path: C:/evil.'],
    [
      'a control character',
      [{ name: 'a\u001B[2Jb' }],
      String.raw`"a\u001b[2Jb" is no name of a file inside of it.`,
    ],
    ['a NUL', [{ name: 'a\0b' }], String.raw`"a\u0000b" is no name of a file inside of it.`],
    ['no name', [{ name: '.' }], 'The archive has an entry without a name.'],
    ['a name that no disk takes', [{ name: 'n'.repeat(256) }], `"${'n'.repeat(119)}…" is too long a name.`],
    [
      'a link that leads out',
      [{ name: 'a/up', content: '../../etc', mode: LINK }],
      '"a/up" is a link to "../../etc", which leads out of the archive.',
    ],
    [
      'an absolute link',
      [{ name: 'up', content: '/etc', mode: LINK }],
      '"up" is a link to "/etc", which leads out of the archive.',
    ],
    [
      'a link that comes back through another',
      [{ name: 'up', content: 'a/b/../../../etc', mode: LINK }],
      '"up" is a link to "a/b/../../../etc", which leads out of the archive.',
    ],
    [
      'a file behind a link',
      [{ name: 'x', content: '.', mode: LINK }, { name: 'x/evil' }],
      '"x/evil" is inside of "x", which is a link.',
    ],
    [
      'a file inside of a file',
      [{ name: 'x/evil' }, { name: 'x' }],
      '"x/evil" is inside of "x", which is a file.',
    ],
    ['a device', [{ name: 'null', mode: 0o020666 }], '"null" is a device, a pipe or a socket.'],
    ['a pipe', [{ name: 'pipe', mode: 0o010666 }], '"pipe" is a device, a pipe or a socket.'],
    [
      'the same file twice',
      [
        { name: 'a', content: '1' },
        { name: './a', content: '2' },
      ],
      '"a" is there twice.',
    ],
    [
      'something encrypted',
      [{ name: 'a', content: 'x'.repeat(101), isEncrypted: true }],
      '"a" is encrypted.',
    ],
    [
      'another way of packing',
      [{ name: 'a', method: 14 }],
      '"a" is packed in a way that is not understood (14).',
    ],
    ['nothing at all', [], 'The archive is empty.'],
    ['folders alone', [{ name: 'a/', mode: 0o040755 }], 'The archive is empty.'],
    [
      'too many entries',
      [{ name: 'a' }, { name: 'b' }, { name: 'c' }],
      'The archive has more than 2 entries.',
      { entries: 2 },
    ],
    [
      'too much',
      [{ name: 'a', content: 'x'.repeat(101) }],
      'The archive would grow to 101 bytes, and 100 are the limit.',
      { bytes: 100 },
    ],
    [
      'a bomb',
      [{ name: 'a', content: Buffer.alloc(70_000_000) }],
      'The archive would grow to 70000000 bytes, more than 100 times its size.',
    ],
    [
      'a page that says "not found"',
      Buffer.from('<html>Not found</html>'),
      'The archive cannot be read: end of central directory record signature not found. Either not a zip file, or file is truncated.',
    ],
    [
      'an empty file',
      Buffer.alloc(0),
      'The archive cannot be read: end of central directory record signature not found. Either not a zip file, or file is truncated.',
    ],
    [
      'half an archive',
      whole.subarray(0, whole.length / 2),
      'The archive cannot be read: end of central directory record signature not found. Either not a zip file, or file is truncated.',
    ],
  ]

  test.each(cases.map((one) => ({ what: one[0], one })))(
    '$what',
    async ({ one: [, archive, sentence, limits] }) => {
      const { directory, folder, unpacked } = await unpack(archive, limits)

      expect(unpacked).toMatchObject({ thrown: { reason: 'source_refused', message: sentence } })
      expect(readdirSync(folder)).toEqual([])
      expect(readdirSync(directory).toSorted()).toEqual(['app.zip', 'outer'])
    },
  )
})

test('parts that overlap are refused: such an archive could grow without end', async () => {
  const { folder, unpacked } = await unpack([
    { name: 'a', content: 'x' },
    { name: 'b', content: 'x', offset: 0 },
  ])

  expect(unpacked).toMatchObject({
    thrown: { reason: 'source_refused', message: 'The archive was refused: its parts overlap.' },
  })
  expect(readdirSync(folder)).toEqual([])
})

test('what turns out to be otherwise than the archive says is refused by its name', async () => {
  const content = 'x'.repeat(1_000)
  const sum = await unpack([{ name: 'a', content, sum: 1 }])
  const size = await unpack([{ name: 'a', content, size: 900 }])

  expect(sum.unpacked).toMatchObject({
    thrown: { reason: 'source_refused', message: '"a" is damaged: its checksum is another one.' },
  })
  expect(size.unpacked).toMatchObject({
    thrown: { reason: 'source_refused', message: expect.stringMatching(/^"a" is damaged: too many bytes/) },
  })
})

test('unpacking ends when the run has to', async () => {
  const directory = temporaryFolder()
  writeFileSync(join(directory, 'app.zip'), zipOf([{ name: 'a' }]))

  await expect(
    unpackZip(join(directory, 'app.zip'), directory, { signal: AbortSignal.abort('taken back') }),
  ).rejects.toBe('taken back')
})

test('a link stays inside exactly when its folder is deep enough for it, whatever it is made of', () => {
  const part = fc.constantFrom('a', 'b', '..', '.', '')
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('a', 'b'), { minLength: 1, maxLength: 4 }),
      fc.array(part),
      (path, target) => {
        if (!staysInside(path.join('/'), target.join('/'))) return
        // Walked without any link in the way, it never leaves; and once it has gone down it never goes up.
        const steps = target.filter((one) => one !== '' && one !== '.')
        let depth = path.length - 1
        for (const step of steps) {
          depth += step === '..' ? -1 : 1
          expect(depth).toBeGreaterThanOrEqual(0)
        }
        expect(steps.join(' ')).not.toMatch(/[ab] \.\./)
      },
    ),
  )
})
