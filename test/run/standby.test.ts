import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

import fc from 'fast-check'
import { describe, expect, onTestFinished, test, vi } from 'vitest'

import { launch, type Launch } from '../../src/run/launcher.ts'
import { markOf } from '../../src/run/mark.ts'
import { follow } from '../../src/run/output.ts'
import { bootId, signal, startTicks, statOf } from '../../src/run/processes.ts'
import { startStandby, type Standby } from '../../src/run/standby.ts'
import { eventually, isRunning, temporaryFolder } from '../support/running.ts'

const COMMON = { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8' }
const SHOW = ['-c', 'pwd; for one; do printf "%s\\0" "$one"; done; env -0 | sort -z', 'sh']

/** The launchers of this process that wait with a pipe in that folder. */
const waitingIn = (directory: string): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => statOf(pid)?.parent === process.pid && isRunning(pid))
    .filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`${directory}/standby-`))

/** A standby with one launcher that waits. */
async function standingBy() {
  const directory = temporaryFolder()
  const standby = startStandby({ directory, environment: COMMON })
  onTestFinished(() => standby.stop())
  return { directory, standby, waiting: await nextIn(directory) }
}

async function nextIn(directory: string, other?: number): Promise<number> {
  // The name of its pipe is gone when the pipe is open.
  const next = () => waitingIn(directory).find((pid) => pid !== other)
  await eventually('one waits', () => next() !== undefined && readdirSync(directory).length === 0)
  return next() ?? 0
}

const wanted = (given: Partial<Launch> = {}): Launch => ({
  program: '/bin/sh',
  arguments: SHOW,
  folder: '/',
  environment: { ...COMMON, FERRYMAN_RUN_ID: 'abcdef' },
  pipe: join(temporaryFolder(), 'pipe'),
  mark: markOf('abcdef'),
  ...given,
})

/** Reserves the launcher that waits. */
async function reserveFrom(standby: Standby) {
  let reserved: ReturnType<Standby['reserve']>
  await eventually('one is ready', () => (reserved = standby.reserve()) !== undefined)
  if (reserved === undefined) throw new Error('None is ready.')
  return reserved
}

/** Starts it, lets it begin and sees it to its end. */
async function resultOf(starting: ReturnType<Standby['launch']>) {
  const launched = await starting
  if ('cause' in launched) throw new Error(launched.cause)
  const chunks: Buffer[] = []
  const output = follow(await launched.ready, async (chunk) => void chunks.push(Buffer.from(chunk)))
  launched.go()
  const ended = await launched.ended
  await output.drain({ quietMs: 1_000, drainMs: 5_000 })
  return { pid: launched.pid, ...ended, output: Buffer.concat(chunks).toString('latin1') }
}

test('the launcher that waited becomes the command, and another takes its place', async () => {
  const { directory, standby, waiting } = await standingBy()

  const { pid, exitCode } = await resultOf(standby.launch(wanted({ arguments: ['-c', 'exit 7'] })))

  expect(pid).toBe(waiting)
  expect(exitCode).toBe(7)
  expect(await nextIn(directory, pid)).toBeGreaterThan(0)
})

test('the signal that ends the command is told', async () => {
  const { standby } = await standingBy()

  const ended = await resultOf(standby.launch(wanted({ arguments: ['-c', 'kill -9 $$'] })))

  expect(ended).toMatchObject({ exitCode: undefined, signal: 'SIGKILL' })
})

describe('the command is the same as with a launcher of its own', () => {
  const same = async (standby: Standby, given: Partial<Launch>): Promise<number> => {
    const { pid, ...own } = await resultOf(launch(wanted(given)))
    const { pid: other, ...waited } = await resultOf(standby.launch(wanted(given)))
    expect(other).not.toBe(pid)
    expect(waited).toEqual(own)
    return other
  }

  test('whatever a shell would make of its arguments, variables and folder', async () => {
    const { directory, standby } = await standingBy()
    const plain = fc.string({
      unit: fc.constantFrom(...Array.from('abc \t\n\n$`\'"\\*?~;&|<>(){}[]#!=+-dvag/')),
      maxLength: 30,
    })
    const plainName = fc.stringMatching(/^X[A-Z0-9_]{0,8}$/)

    await fc.assert(
      fc.asyncProperty(
        fc.array(plain, { maxLength: 6 }),
        fc.dictionary(plainName, plain),
        async (args, own) => {
          const waiting = await nextIn(directory)
          const environment = { ...COMMON, ...own }
          expect(await same(standby, { arguments: [...SHOW, ...args], environment })).toBe(waiting)
        },
      ),
      { numRuns: 25, examples: [[['go', '\n', '', '-n', '$(id)\n'], { X: '\n\n', XY: '' }]] },
    )
  }, 60_000)

  test('whatever names the command before it has had', async () => {
    const { directory, standby } = await standingBy()
    const names = fc.uniqueArray(fc.constantFrom('XA', 'XB', 'XC', 'XD'), { maxLength: 4 })

    await fc.assert(
      fc.asyncProperty(
        names,
        fc.string({ maxLength: 5, unit: fc.constantFrom(' ', '=', '\n', 'n', '%', '$') }),
        async (some, text) => {
          const waiting = await nextIn(directory)
          const environment = {
            ...COMMON,
            ...Object.fromEntries(some.map((name) => [name, `${name}${text}`])),
          }
          expect(await same(standby, { environment })).toBe(waiting)
        },
      ),
      {
        numRuns: 25,
        examples: [
          [['XA', 'XB'], ''],
          [['XB', 'XC', 'XA'], '=\n'],
          [['XB'], ' '],
        ],
      },
    )
  }, 60_000)

  test.each([
    ['text that is not plain', { arguments: [...SHOW, 'ü', '\u0081'] }],
    ['text of a size', { arguments: [...SHOW, 'x'.repeat(100_000)] }],
    [
      'variables that shells have',
      { environment: { ...COMMON, IFS: 'x', UID: '7', PWD: '/x', LC_ALL: 'C' } },
    ],
    [
      'variables that our script has',
      { environment: { ...COMMON, line: '1', text: '2', word: '3', lf: '4' } },
    ],
    ['variables that are none to a shell', { environment: { ...COMMON, 'A-B': '1', '': '2' } }],
    ['less than all have in common', { environment: { PATH: '/usr/bin:/bin' } }],
  ])('and it gets one of its own with %s', async (_, given) => {
    const { standby, waiting } = await standingBy()

    expect(await same(standby, given)).not.toBe(waiting)
    expect(isRunning(waiting)).toBe(true)
  })
})

test('many commands at once all begin, and one launcher is left', async () => {
  const { directory, standby } = await standingBy()

  const results = await Promise.all(
    Array.from({ length: 8 }, (_, index) =>
      resultOf(standby.launch(wanted({ arguments: ['-c', 'echo "$1"', 'sh', `${index}`] }))),
    ),
  )

  expect(results.map(({ output }) => output)).toEqual(Array.from({ length: 8 }, (_, index) => `${index}\n`))
  await nextIn(directory)
  expect(waitingIn(directory)).toHaveLength(1)
})

test('one that was killed while it waited is replaced, and the command begins', async () => {
  const { directory, standby, waiting } = await standingBy()
  signal(waiting, 'SIGKILL')
  await eventually('it is gone', () => !existsSync(`/proc/${waiting}`))

  const { exitCode } = await resultOf(standby.launch(wanted({ arguments: ['-c', 'exit 3'] })))

  expect(exitCode).toBe(3)
  expect(await nextIn(directory)).toBeGreaterThan(0)
})

test('one that is abandoned has run nothing', async () => {
  const { directory, standby, waiting } = await standingBy()
  const proof = join(directory, 'proof')
  const launched = await standby.launch(wanted({ arguments: ['-c', `: > ${proof}`] }))
  if ('cause' in launched) throw new Error(launched.cause)

  await launched.abandon()

  expect(launched.pid).toBe(waiting)
  expect(isRunning(waiting)).toBe(false)
  expect(existsSync(proof)).toBe(false)
})

describe('one that is reserved', () => {
  test('becomes the first command of who has it, and nobody else is given it meanwhile', async () => {
    const { directory, standby, waiting } = await standingBy()
    const reserved = await reserveFrom(standby)

    const other = await resultOf(standby.launch(wanted()))
    const first = await resultOf(reserved.launch(wanted({ arguments: ['-c', 'exit 7'] })))
    const second = await resultOf(reserved.launch(wanted()))

    expect(reserved.process).toEqual({ group: waiting, bootId: bootId(), startTicks: expect.any(String) })
    expect(first).toMatchObject({ pid: waiting, exitCode: 7 })
    expect([other.pid, second.pid]).not.toContain(waiting)
    await reserved.discard()
    expect(await nextIn(directory, waiting)).toBeGreaterThan(0)
  })

  test('is named as the process that it will be', async () => {
    const { standby, waiting } = await standingBy()

    const reserved = await reserveFrom(standby)

    expect(reserved.process.startTicks).toBe(startTicks(waiting))
    expect(standby.reserve()).toBeUndefined()
    await reserved.discard()
  })

  test('is another one where the one that waited was killed', async () => {
    const { standby, waiting } = await standingBy()
    signal(waiting, 'SIGKILL')
    await eventually('it is gone', () => !existsSync(`/proc/${waiting}`))

    const reserved = await reserveFrom(standby)

    expect(reserved.process.group).not.toBe(waiting)
    await reserved.discard()
  })

  test('is for others when it is given back', async () => {
    const { standby, waiting } = await standingBy()

    const reserved = await reserveFrom(standby)
    reserved.giveBack()

    expect((await resultOf(standby.launch(wanted()))).pid).toBe(waiting)
  })

  test('is ended when it is discarded, and another takes its place', async () => {
    const { directory, standby, waiting } = await standingBy()
    const reserved = await reserveFrom(standby)

    await reserved.discard()

    expect(isRunning(waiting)).toBe(false)
    expect((await resultOf(reserved.launch(wanted()))).pid).not.toBe(waiting)
    expect(await nextIn(directory, waiting)).toBeGreaterThan(0)
  })

  test('waits for what it can be told', async () => {
    const { standby, waiting } = await standingBy()
    const reserved = await reserveFrom(standby)

    const other = await resultOf(reserved.launch(wanted({ arguments: ['-c', 'true', 'ü'] })))
    const { pid } = await resultOf(reserved.launch(wanted()))

    expect(other.pid).not.toBe(waiting)
    expect(pid).toBe(waiting)
  })

  test('is replaced where it was killed meanwhile', async () => {
    const { standby, waiting } = await standingBy()
    const reserved = await reserveFrom(standby)
    signal(waiting, 'SIGKILL')
    await eventually('it is gone', () => !existsSync(`/proc/${waiting}`))

    const { pid, exitCode } = await resultOf(reserved.launch(wanted()))

    expect(exitCode).toBe(0)
    expect(pid).not.toBe(waiting)
  })

  test("is not signalled where it has ended: its number may be somebody else's by now", async () => {
    const { directory, standby, waiting } = await standingBy()
    const reserved = await reserveFrom(standby)
    signal(waiting, 'SIGKILL')
    await eventually('it is gone', () => !existsSync(`/proc/${waiting}`))
    const kill = vi.spyOn(process, 'kill')
    onTestFinished(() => kill.mockRestore())

    await reserved.discard()

    expect(kill).not.toHaveBeenCalled()
    expect(await nextIn(directory, waiting)).toBeGreaterThan(0)
  })
})

test('a stop leaves nothing behind, also of one that has only begun or that hangs', async () => {
  const { standby, waiting } = await standingBy()
  const [directory, other] = [temporaryFolder(), temporaryFolder()]
  const begun = startStandby({ directory, environment: COMMON })
  const hanging = startStandby({ directory: other, environment: COMMON })
  signal(waiting, 'SIGSTOP')
  // Most often before it is ready, and never long after.
  await eventually('it is there', () => waitingIn(other).length > 0)
  for (const pid of waitingIn(other)) signal(pid, 'SIGSTOP')

  await Promise.all([standby.stop(), begun.stop(), hanging.stop()])

  expect(isRunning(waiting)).toBe(false)
  expect(waitingIn(directory)).toEqual([])
  expect(waitingIn(other)).toEqual([])
  expect(readdirSync(directory)).toEqual([])
})

test('where the pipe can neither be made nor removed, a reason is answered, and nothing breaks', async () => {
  const launched = await launch(wanted({ pipe: temporaryFolder() }))

  await expect('cause' in launched ? launched.cause : launched.ready).rejects.toThrow(/exists/)
})

test('where no more files may be opened it keeps neither a command nor a stop waiting', async () => {
  const program = resolve('test/support/standby-without-files.ts')
  const words = ['-c', 'ulimit -n 60; exec "$@"', 'sh', process.execPath, program]

  const { stdout } = await promisify(execFile)('/bin/sh', words, { timeout: 20_000 })

  expect(stdout).toContain('EMFILE')
})
