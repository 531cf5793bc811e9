import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'

import { expect, inject, test } from 'vitest'

import { livingIn } from '../../torture/living.ts'
import { temporaryFolder } from '../support/running.ts'

/** Starts it with a folder of its own for everything that it makes. */
function start(...words: string[]) {
  const folder = temporaryFolder()
  const child = spawn(process.execPath, [resolve('torture/torture.ts'), ...words], {
    env: { ...process.env, TMPDIR: folder, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = once(child, 'close').then(([code]) => code as unknown)
  return { child, folder, ended, said: text(child.stdout) }
}

/** The product as it is, but for one sentence. */
function copyWith(file: string, sentence: string, instead: string): string {
  const folder = temporaryFolder()
  for (const name of ['bin', 'src', 'package.json'])
    cpSync(resolve(name), join(folder, name), { recursive: true })
  symlinkSync(resolve('node_modules'), join(folder, 'node_modules'))
  const source = readFileSync(join(folder, file), 'utf8')
  expect(source).toContain(sentence)
  writeFileSync(join(folder, file), source.replace(sentence, instead))
  return join(folder, 'bin/ferryman')
}

test.runIf(inject('gcc'))(
  'a database that does not wait for the disk is found out',
  { timeout: 180_000 },
  async () => {
    const program = copyWith('src/store/sqlite.ts', 'synchronous = full', 'synchronous = off')

    const { ended, said, folder } = start(
      '--power-loss',
      '--program',
      program,
      '--cycles',
      '6',
      '--seed',
      'off',
    )

    expect(await ended).toBe(1)
    expect(await said).toContain('broken: every delivery answered 2xx is recorded once: delivery ')
    expect(await said).toMatch(
      /seed off, .* times an invariant was broken; everything is kept in \S+from-cycle-1\n.*again: npm run torture -- --seed off --from 1 --cycles [1-6] --power-loss\n$/,
    )
    expect(readdirSync(join(folder, readdirSync(folder)[0] ?? '', 'from-cycle-1'))).toEqual(
      expect.arrayContaining(['server.log', 'journal', 'disk']),
    )
  },
)

test('Ctrl-C ends it and leaves nothing behind', { timeout: 60_000 }, async () => {
  const { child, folder, ended, said } = start('--cycles', '5', '--seed', 'ended')
  await once(createInterface(child.stderr), 'line') // the first cycle has begun
  await expect.poll(() => livingIn({ marker: 'nobody', dataDirectory: folder })).not.toEqual([])

  child.kill('SIGINT')

  expect(await ended).toBe(2)
  expect(await said).toMatch(/^torture: \d cycles, seed ended, .*: interrupted\n$/)
  expect(readdirSync(folder)).toEqual([])
  expect(livingIn({ marker: 'nobody', dataDirectory: folder })).toEqual([])
})

test('what cannot be tried is said', async () => {
  const { child, ended } = start('--cycles', 'many')

  expect(await text(child.stderr)).toMatch(/^--cycles takes a number, such as 40\.\nUsage: /)
  expect(await ended).toBe(2)
})
