import { spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'

import { expect, inject, test } from 'vitest'

import { makeDirectory } from '../../src/store/directory.ts'
import { createChance } from '../../torture/chance.ts'
import { compileShim, powerOf } from '../../torture/power-loss/power-loss.ts'
import { temporaryFolder } from '../support/running.ts'

test('a directory is made with what is missing above it, for nobody else, and may be there', () => {
  const path = join(temporaryFolder(), 'deep/er')

  makeDirectory(path)
  makeDirectory(path)

  expect([path, join(path, '..')].map((one) => statSync(one).mode & 0o777)).toEqual([0o700, 0o700])
})

test.runIf(inject('gcc'))('a directory that was made is there after a power loss', () => {
  const [disk, folder] = [temporaryFolder(), temporaryFolder()]
  const power = powerOf(disk, { shim: compileShim(folder) ?? '', folder })
  const program = `import { makeDirectory } from '${resolve('src/store/directory.ts')}'
    makeDirectory('${disk}/deep/er')`

  const { status } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    env: { ...process.env, ...power.on(undefined) },
  })
  power.cut({ ...createChance('nothing else survives'), pick: ([first]) => first })

  expect({ status, isThere: existsSync(join(disk, 'deep/er')) }).toEqual({ status: 0, isThere: true })
})
