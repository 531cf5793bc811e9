import fc from 'fast-check'
import { dump, load } from 'js-yaml'
import { expect, test } from 'vitest'

import { locate, YAML_SCHEMA } from '../../src/config/positions.ts'

const at = (text: string, ...path: (string | number)[]): string => {
  const { line, column } = locate(text).at(path)
  return `${line}:${column}`
}

test('a key is found where it begins, an item where its value does', () => {
  const text = 'a:\n  b: 1\n  list:\n    - x\n    - {c: [1, 2]}\n'

  expect(at(text, 'a', 'b')).toBe('2:3')
  expect(at(text, 'a', 'list', 0)).toBe('4:7')
  expect(at(text, 'a', 'list', 1, 'c')).toBe('5:8')
  expect(at(text, 'a', 'list', 1, 'c', 1)).toBe('5:15')
})

test('a key that is missing is looked for in its parent', () => {
  expect(at('a:\n  b:\n    c: 1\n', 'a', 'b', 'gone', 'further')).toBe('2:3')
  expect(at('a: 1\n', 'gone')).toBe('1:1')
})

test('quoted keys, keys that are numbers, and items that are empty have a place', () => {
  const text = '"a b": 1\n\'c\': 2\n0x10: 3\nlist:\n  -\n  - 1\n'

  expect(at(text, 'a b')).toBe('1:1')
  expect(at(text, 'c')).toBe('2:1')
  expect(at(text, '16')).toBe('3:1')
  expect(at(text, 'list', 0)).toBe('5:3')
  expect(at(text, 'list', 1)).toBe('6:5')
})

test('what stands behind an alias is found where it is written', () => {
  const text = 'x: &shared\n  timeout: 5\na: *shared\n'

  expect(at(text, 'a')).toBe('3:1')
  expect(at(text, 'a', 'timeout')).toBe('2:3')
})

test('what a merge key brings in is found where it is written, unless it is written again', () => {
  const text = 'one: &one {a: 1, b: 1}\ntwo: &two {b: 2, c: 2}\nall:\n  <<: [*one, *two]\n  a: 3\n'

  expect(at(text, 'all', 'a')).toBe('5:3')
  expect(at(text, 'all', 'b')).toBe('1:18')
  expect(at(text, 'all', 'c')).toBe('2:18')
  expect(load(text, { schema: YAML_SCHEMA })).toMatchObject({ all: { a: 3, b: 1, c: 2 } })
})

test('a quoted << is a key like any other', () => {
  expect(at('a:\n  b: 1\n  "<<": {c: 1}\n', 'a', 'c')).toBe('1:1')
})

test('keys that stand twice are named with both places', () => {
  expect(locate('a: 1\nb: {c: 1, c: 2}\na: 2\n').duplicates).toEqual([
    { path: ['b', 'c'], position: { line: 2, column: 11 }, first: { line: 2, column: 5 } },
    { path: ['a'], position: { line: 3, column: 1 }, first: { line: 1, column: 1 } },
  ])
})

test('a value without end is named', () => {
  expect(locate('a: &a [1, *a]\n').endless).toEqual([{ path: ['a', 1], position: { line: 1, column: 11 } }])
})

test('a number is kept as it was written', () => {
  expect(locate('a: 1.10\nb: *x\nx: 1').written(['a'])).toBe('1.10')
  expect(locate('a: 1').written(['gone'])).toBeUndefined()
})

const name = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 8 }),
  fc.constantFrom('<<', 'x-a', 'true', '~', '1', 'a: b', '- a', '# c', '&a', '*a'),
)
const leaf = fc.oneof(fc.string({ unit: 'grapheme' }), fc.integer(), fc.boolean(), fc.constant(null))
const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.array(tie('tree'), { maxLength: 3 }),
    fc.dictionary(name, tie('tree'), { maxKeys: 4, noNullPrototype: true }),
  ),
}))
const document = fc.dictionary(name, tree, { minKeys: 1, maxKeys: 4, noNullPrototype: true })
const styles = fc.record({
  flowLevel: fc.constantFrom(-1, 0, 1, 2),
  quoteStyle: fc.constantFrom('single' as const, 'double' as const),
  forceQuotes: fc.boolean(),
  indent: fc.constantFrom(2, 4),
})

test('every path of any document is found at the text of its key', () => {
  fc.assert(
    fc.property(document, styles, (root, style) => {
      const text = dump(root, { ...style, noRefs: true, schema: YAML_SCHEMA })
      const lines = text.split('\n')
      const positions = locate(text)

      for (const { path, key } of keysOf(load(text, { schema: YAML_SCHEMA }), [])) {
        const { line, column } = positions.at(path)
        const rest = [lines[line - 1]?.slice(column - 1), ...lines.slice(line)].join('\n')
        expect(keyAtStart(rest)).toBe(key)
      }
    }),
  )
})

function keysOf(
  value: unknown,
  path: readonly (string | number)[],
): { path: (string | number)[]; key: string }[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => keysOf(item, [...path, index]))
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) => [
    { path: [...path, key], key },
    ...keysOf(inner, [...path, key]),
  ])
}

/** What a reader of the text itself finds there: a quoted text, or everything before the colon. */
function keyAtStart(text: string): string | undefined {
  const explicit = text.replace(/^\? /, '')
  const [quoted] = /^(?:'(?:[^']|'')*'|"(?:[^"\\]|\\[^])*")/.exec(explicit) ?? []
  const [plain] = /^.*?(?=:(?:\s|$)|\n)/.exec(explicit) ?? []
  const source = quoted ?? plain
  return source === undefined ? undefined : String(load(source, { schema: YAML_SCHEMA }))
}
