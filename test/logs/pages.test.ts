import fc from 'fast-check'
import { expect, test } from 'vitest'

import { createPages } from '../../src/logs/pages.ts'

const deed = fc.oneof(
  fc.record({ add: fc.array(fc.nat({ max: 90_000 }), { maxLength: 4 }) }),
  fc.record({ drop: fc.double({ min: 0, max: 1, noNaN: true }) }),
)

test('what is added waits in order until it is dropped', () => {
  fc.assert(
    fc.property(fc.array(deed, { maxLength: 40 }), (deeds) => {
      const pages = createPages()
      const added: Buffer[] = []
      const taken: Buffer[] = []
      const take = (part: number): void => {
        const all = Buffer.concat(pages.all())
        const some = all.subarray(0, Math.ceil(all.length * part))
        taken.push(some)
        pages.drop(some.length)
      }
      for (const deed of deeds)
        if ('drop' in deed) take(deed.drop)
        else {
          const lines = Buffer.from(deed.add.map((size) => `${'x'.repeat(size)}${size}`).join('\n'))
          pages.add(lines)
          added.push(lines)
        }
      const waiting = pages.size()
      const before = Buffer.concat(taken).length
      take(1)

      expect(pages.size()).toBe(0)
      expect(pages.all()).toEqual([])
      expect(Buffer.concat(taken)).toHaveLength(before + waiting)
      expect(Buffer.concat(added).equals(Buffer.concat(taken))).toBe(true)
    }),
    { numRuns: 300 },
  )
})

test('what is being written stays as it is while more is added', () => {
  const pages = createPages()
  pages.add(Buffer.from('one\n'))
  const [first] = pages.all()

  for (let index = 0; index < 100; index++) pages.add(Buffer.alloc(10_000, '.'))

  expect(first?.toString()).toBe('one\n')
})

test('a page ends where a line does, unless the line is a very long one', () => {
  const pages = createPages()
  const text = Array.from({ length: 20_000 }, (_, index) => `line ${index} ${'x'.repeat(index % 97)}\n`).join(
    '',
  )
  for (let at = 0; at < text.length; at += 9_973) pages.add(Buffer.from(text.slice(at, at + 9_973)))

  const ends = pages.all().map((page) => page.toString('latin1', page.length - 1))

  expect(ends.length).toBeGreaterThan(4)
  expect(ends.every((end) => end === '\n')).toBe(true)
})
