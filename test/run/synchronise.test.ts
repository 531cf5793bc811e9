import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'

import fc from 'fast-check'
import { expect, test } from 'vitest'

import { copyFolder, synchronise } from '../../src/run/synchronise.ts'
import { temporaryFolder } from '../support/running.ts'

/** What is in a folder: files with their content and mode, folders, links. */
type Tree = { readonly [name: string]: Tree | string | { readonly to: string } }

function lay(folder: string, tree: Tree): void {
  for (const [name, what] of Object.entries(tree)) {
    const path = join(folder, name)
    if (typeof what === 'string') {
      writeFileSync(path, what)
      chmodSync(path, what.startsWith('#!') ? 0o755 : 0o644)
    } else if (typeof what['to'] === 'string') symlinkSync(what['to'], path)
    else {
      mkdirSync(path)
      lay(path, what)
    }
  }
}

function read(folder: string): Tree {
  return Object.fromEntries(
    readdirSync(folder).map((name) => {
      const path = join(folder, name)
      const found = lstatSync(path)
      if (found.isSymbolicLink()) return [name, { to: readlinkSync(path) }]
      if (found.isDirectory()) return [name, read(path)]
      return [name, found.isFile() ? readFileSync(path, 'utf8') : 'something else']
    }),
  )
}

const name = fc.constantFrom('a', 'b', 'c')
const tree = fc.letrec<{ tree: Tree; one: Tree[string] }>((tie) => ({
  tree: fc.dictionary(name, tie('one'), { maxKeys: 3, depthIdentifier: 'tree' }),
  one: fc.oneof(
    { depthSize: 'small', maxDepth: 3, depthIdentifier: 'tree' },
    fc.constantFrom('x', 'y', '#!', ''),
    fc.record({ to: fc.constantFrom('a', '../b', '/nowhere') }),
    tie('tree'),
  ),
})).tree

test('whatever was there, it becomes equal to what is wanted', async () => {
  await fc.assert(
    fc.asyncProperty(tree, tree, async (before, wanted) => {
      const folder = temporaryFolder()
      const [from, to] = [join(folder, 'from'), join(folder, 'to')]
      for (const one of [from, to]) mkdirSync(one)
      lay(from, wanted)
      lay(to, before)

      await synchronise(from, to)

      expect(read(to)).toEqual(wanted)
      expect(read(from)).toEqual(wanted)
    }),
    { numRuns: 100 },
  )
})

test('what is equal is not touched, what differs is another file, and a mode counts', async () => {
  const folder = temporaryFolder()
  const [from, to] = [join(folder, 'from'), join(folder, 'to')]
  for (const one of [from, to]) mkdirSync(one)
  lay(from, { equal: 'x'.repeat(300_000), differs: 'new', run: '#!new' })
  lay(to, { equal: 'x'.repeat(300_000), differs: 'old', run: 'x' })
  const inode = (file: string): number => statSync(join(to, file)).ino
  const before = { equal: inode('equal'), differs: inode('differs') }
  writeFileSync(join(to, 'run'), '#!new')

  await synchronise(from, to)

  expect(inode('equal')).toBe(before.equal)
  expect(inode('differs')).not.toBe(before.differs)
  expect(statSync(join(to, 'run')).mode & 0o777).toBe(0o755)
})

test('a copy is whole, takes the place of the one before, and leaves out what is no file', async () => {
  const folder = temporaryFolder()
  const [from, to] = [join(folder, 'from'), join(folder, 'saved')]
  mkdirSync(from)
  lay(from, { a: 'x', deep: { run: '#!x' }, link: { to: 'a' } })
  execFileSync('mkfifo', [join(from, 'pipe')])
  mkdirSync(to)
  lay(to, { old: '' })
  mkdirSync(`${to}.new`)
  lay(`${to}.new`, { 'left by a crash': '' })

  await copyFolder(from, to)

  expect(read(to)).toEqual({ a: 'x', deep: { run: '#!x' }, link: { to: 'a' } })
  expect(readdirSync(folder).toSorted()).toEqual(['from', 'saved'])
})

test('a name may be as long as names can be', async () => {
  const [from, to] = [temporaryFolder(), temporaryFolder()]
  const longest = 'x'.repeat(255)
  lay(from, { [longest]: 'new', link: { to: longest } })
  lay(to, { [longest]: 'old' })

  await synchronise(from, to)

  expect(read(to)).toEqual({ [longest]: 'new', link: { to: longest } })
})
