import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { beforeAll, describe, expect, inject, test } from 'vitest'

import type { Chance } from '../../torture/chance.ts'
import { compileShim, powerOf } from '../../torture/power-loss/power-loss.ts'
import { temporaryFolder } from '../support/running.ts'

const chance = (which: number, happens: boolean): Chance => ({
  integer: (from) => from,
  derive: () => chance(which, happens),
  happens: () => happens,
  pick: (among) => among[which] ?? among[0],
})
const NOTHING = chance(0, false)
const EVERYTHING = chance(2, true)
/** Of what was not synced some writes, and of those every other sector. */
const EVERY_OTHER_SECTOR: Chance = { ...chance(3, true), happens: alternately([true, false]) }

function alternately(answers: readonly boolean[]): () => boolean {
  let asked = 0
  return () => answers[asked++ % answers.length] === true
}

let shim = ''
beforeAll(() => {
  const folder = mkdtempSync(join(tmpdir(), 'ferryman-test-'))
  shim = compileShim(folder) ?? ''
  return () => rmSync(folder, { recursive: true, force: true })
})

/** Runs the lines of a program on a disk; answers how it ended, what it left, and what a power loss leaves. */
function lose(lines: string, left: Chance, cutAt?: number) {
  const [disk, folder] = [temporaryFolder(), temporaryFolder()]
  writeFileSync(join(disk, 'old'), 'old')
  const power = powerOf(disk, { shim, folder })
  const program = `const fs = require('fs')
    process.chdir('${disk}')
    const sync = (name) => { const file = fs.openSync(name, 'r'); fs.fsyncSync(file); fs.closeSync(file) }
    ${lines}`
  const env = { ...process.env, ...power.on(cutAt) }
  const { signal, stderr } = spawnSync(process.execPath, ['-e', program], { env, encoding: 'utf8' })
  const before = contentsOf(disk)
  power.cut(left)
  return { signal, stderr, before, after: contentsOf(disk) }
}

const contentsOf = (directory: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(directory, { recursive: true, encoding: 'utf8' })
      .toSorted()
      .map((name) => [
        name,
        statSync(join(directory, name)).isDirectory() ? '/' : readFileSync(join(directory, name), 'latin1'),
      ]),
  )

const KEPT = (lines: string): Record<string, string> => lose(lines, NOTHING).after

describe.runIf(inject('gcc'))('after a power loss', () => {
  test('what was not synced is gone, and so is a name whose directory was not', () => {
    expect(KEPT(`fs.writeFileSync('old', 'new')`)).toEqual({ old: 'old' })
    expect(KEPT(`fs.writeFileSync('new', 'x'); sync('new')`)).toEqual({ old: 'old' })
    expect(KEPT(`fs.writeFileSync('new', 'x'); sync('.')`)).toEqual({ old: 'old', new: '' })
    expect(
      KEPT(`fs.mkdirSync('new'); fs.writeFileSync('new/one', 'x'); sync('new/one'); sync('new')`),
    ).toEqual({
      old: 'old',
    })
  })

  test('what was synced is there, as it was then', () => {
    expect(KEPT(`fs.writeFileSync('new', 'x'); sync('new'); sync('.')`)).toEqual({ old: 'old', new: 'x' })
    expect(KEPT(`fs.appendFileSync('old', ' and new'); sync('old'); fs.appendFileSync('old', '!')`)).toEqual({
      old: 'old and new',
    })
    expect(KEPT(`fs.truncateSync('old', 1); sync('old'); fs.truncateSync('old', 2)`)).toEqual({ old: 'o' })
    expect(KEPT(`fs.renameSync('old', 'new'); sync('.'); fs.unlinkSync('new')`)).toEqual({ new: 'old' })
    expect(KEPT(`fs.mkdirSync('new'); sync('.'); fs.rmdirSync('new')`)).toEqual({ old: 'old', new: '/' })
  })

  test('everything may be there as well: no change goes by unseen', () => {
    const lines = `
      fs.writeFileSync('long', 'a'.repeat(5000)); fs.appendFileSync('long', 'b'.repeat(5000))
      const file = fs.openSync('long', 'r+')
      fs.writeSync(file, 'c'.repeat(10), 4990); fs.writevSync(file, [Buffer.from('d'), Buffer.from('e')], 20000)
      fs.ftruncateSync(file, 20001); fs.ftruncateSync(file, 20010); fs.closeSync(file)
      fs.mkdirSync('one/two', { recursive: true }); fs.writeFileSync('one/two/three', 'x')
      fs.renameSync('one/two', 'four'); fs.renameSync('old', 'four/old'); fs.writeFileSync('gone', '')
      fs.unlinkSync('gone'); fs.rmdirSync('one'); fs.writeFileSync('four/old', 'short')`

    const { before, after, stderr } = lose(lines, EVERYTHING)

    expect(stderr).toBe('')
    expect(Object.keys(before)).toEqual(['four', 'four/old', 'four/three', 'long'])
    expect(after).toEqual(before)
  })

  test('a write may be torn', () => {
    const { after } = lose(`fs.writeFileSync('old', 'x'.repeat(600))`, EVERY_OTHER_SECTOR)

    expect(after).toEqual({ old: `${'x'.repeat(512)}${'\0'.repeat(88)}` })
  })

  test('the process ends in front of the change that was chosen', () => {
    const lines = `for (const name of ['a', 'b', 'c']) { fs.mkdirSync(name); sync('.') }`

    const { signal, before, after } = lose(lines, NOTHING, 4)

    expect({ signal, before }).toEqual({ signal: 'SIGKILL', before: { a: '/', b: '/', old: 'old' } })
    expect(after).toEqual({ a: '/', old: 'old' })
  })

  test('the boot id is another one', () => {
    const [disk, folder] = [temporaryFolder(), temporaryFolder()]
    const power = powerOf(disk, { shim, folder })
    const program = `process.stdout.write(require('fs').readFileSync('/proc/sys/kernel/random/boot_id'))`
    const boot = (): string =>
      spawnSync(process.execPath, ['-e', program], {
        env: { ...process.env, ...power.on(undefined) },
        encoding: 'utf8',
      }).stdout

    const [first, again] = [boot(), boot()]
    power.cut(NOTHING)

    expect(again).toBe(first)
    expect(boot()).not.toBe(first)
    expect(readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')).not.toBe(first)
  })
})
