import { expect, test } from 'vitest'

import { usefulLine } from '../../src/run/useful-line.ts'

test.each<[claim: string, lines: string[], useful: string]>([
  [
    'the first line with an error word',
    ['compiling', 'error: no semicolon', 'fatal: stopped'],
    'error: no semicolon',
  ],
  ['the last line where none has one', ['compiling', 'stopped', ''], 'stopped'],
  ['nothing of nothing', ['', '  '], ''],
  ['without colours', ['\u001b[31mERROR\u001b[0m in a.js', 'done'], 'ERROR in a.js'],
  [
    'the class of an error',
    ['> build', 'TypeError: x is no function', '    at a.js:1'],
    'TypeError: x is no function',
  ],
  [
    'a class with its package',
    ['start', 'java.lang.NullPointerException: oh', 'x'],
    'java.lang.NullPointerException: oh',
  ],
  ['what npm says', ['npm ERR! code ELIFECYCLE', 'see the log'], 'npm ERR! code ELIFECYCLE'],
  [
    'the end of a traceback, which says more than its beginning',
    [
      'Traceback (most recent call last):',
      '  File "a.py", line 1',
      "ModuleNotFoundError: No module named 'x'",
    ],
    "ModuleNotFoundError: No module named 'x'",
  ],
  [
    'no names of files and options',
    ['cc error.c', 'cp public/error.html', 'make --fail-on-error', 'made'],
    'made',
  ],
  ['no count of nothing', ['Found 0 errors', 'no errors', 'stopped'], 'stopped'],
])('%s', (_claim, lines, useful) => {
  expect(usefulLine(lines)).toBe(useful)
})

test('looks back fifty lines, no further', () => {
  expect(usefulLine(['error: long ago', ...Array.from({ length: 50 }, (_, index) => `line ${index}`)])).toBe(
    'line 49',
  )
})
