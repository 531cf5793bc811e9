import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { listFolders } from '../../src/run/listing.ts'
import { temporaryFolder } from '../support/running.ts'

test('of a folder all executables are run, in the order of their bytes, and no older state of them', async () => {
  const folder = temporaryFolder()
  const put = (name: string, mode = 0o755): void => {
    writeFileSync(join(folder, name), '#!/bin/sh\n')
    chmodSync(join(folder, name), mode)
  }
  for (const name of ['10-b', '10-B', '9-a', 'clean.old', 'x.sh', 'a b']) put(name)
  for (const name of ['10-b~', '#10-b#', '10-b.bak', '10-b.orig', '10-b.rej', '.10-b.swp']) put(name)
  for (const name of ['10-b.dpkg-old', '10-b.rpmsave', '10-b.ucf-dist']) put(name)
  put('20-not-executable', 0o644)
  mkdirSync(join(folder, '30-folder'))
  symlinkSync('/bin/true', join(folder, '40-link'))
  symlinkSync('/nowhere', join(folder, '50-broken'))
  const [missing, file] = [join(folder, 'missing'), join(folder, 'x.sh')]

  const listed = await listFolders([folder, missing, file])
  const { executables, files } = listed.get(folder) as { executables: string[]; files: string[] }
  expect(executables).toEqual(['10-B', '10-b', '40-link', '9-a', 'a b', 'clean.old', 'x.sh'])
  expect(files).toContain('20-not-executable')
  expect(listed.get(missing)).toEqual({ why: `The folder ${missing} does not exist.` })
  expect(listed.get(file)).toEqual({ why: `${file} is not a folder.` })
})
