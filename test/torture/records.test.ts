import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { readRecords } from '../../torture/records.ts'
import { temporaryFolder } from '../support/running.ts'

const NOTHING = { deliveries: [], deployments: [], messages: [], owed: 0, refused: [], hooks: [], asked: [] }

test('without a database there are no records', () => {
  expect(readRecords(join(temporaryFolder(), 'ferryman.sqlite'))).toEqual(NOTHING)
})

test('a database that cannot be read says why', () => {
  const file = join(temporaryFolder(), 'ferryman.sqlite')
  writeFileSync(file, 'no database at all, but long enough to be looked at '.repeat(40))

  expect(readRecords(file)).toEqual({ ...NOTHING, unreadable: 'file is not a database' })
})
