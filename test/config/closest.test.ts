import { expect, test } from 'vitest'

import { closest } from '../../src/config/closest.ts'

test.each([
  ['comands', 'commands'],
  ['Folder', 'folder'],
  ['fodler', 'folder'],
  ['timeot', 'timeout'],
  ['prt', 'port'],
])('%s was probably %s', (word, meant) => {
  expect(closest(word, ['port', 'folder', 'commands', 'timeout'])).toBe(meant)
})

test('what is far from everything was nothing we know', () => {
  expect(closest('schedule', ['port', 'folder', 'commands'])).toBeUndefined()
  expect(closest('x', ['port'])).toBeUndefined()
})
