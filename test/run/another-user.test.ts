import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'

import { NO_HOOKS, type Command } from '../../src/deployment/recipe.ts'
import type { Stop } from '../../src/run/limits.ts'
import { createUsers } from '../../src/run/another-user.ts'
import { endLeftovers } from '../../src/run/leftovers.ts'
import { partOf } from '../../src/run/mark.ts'
import { recipe } from '../support/samples.ts'
import { eventually, isRunning, runFor, temporaryFolder } from '../support/running.ts'
import { makeUser, removeUser } from '../support/users.ts'

const isRoot = process.getuid?.() === 0
const USER = 'ferryman-t1'
const GROUP = 'ferryman-t1g'

/** Runs commands as that user, in a folder that anybody may enter. */
async function runAs(
  commands: readonly Command[],
  given: Partial<Parameters<typeof runFor>[0]> & { runAs?: string } = {},
) {
  const folder = temporaryFolder()
  chmodSync(folder, 0o755)
  const { runAs: runAs_ = USER, env = {}, ...others } = given
  const variables = Object.fromEntries(Object.entries(env).map(([name, literal]) => [name, { literal }]))
  const ran = await runFor({
    commands: [],
    ...others,
    deployment: { recipe: recipe({ folder, commands, runAs: runAs_, env: variables }), ...others.deployment },
  })
  const lines = ran.log.split('\n').filter((line) => !line.startsWith('▸'))
  return { ...ran, lines, folder }
}

describe.skipIf(!isRoot)('a command that runs as another user', () => {
  beforeAll(() => makeUser(USER, GROUP))
  afterAll(() => removeUser(USER, GROUP))

  test('has its ids, its groups, its home, and no right of root', async () => {
    const { lines, log } = await runAs([
      ['id', '-un'],
      ['id', '-Gn'],
      [
        'sh',
        '-c',
        'echo $HOME $USER $LOGNAME $SHELL $TMPDIR; pwd; grep -E "^Cap(Inh|Prm|Eff)" /proc/self/status',
      ],
    ])

    expect(lines.slice(0, 3)).toEqual([USER, `${USER} ${GROUP}`, `/home/${USER} ${USER} ${USER} /bin/sh`])
    expect(lines.slice(4, 7).map((line) => line.split('\t')[1])).toEqual(Array(3).fill('0000000000000000'))
    expect(log).toContain(`▸ $ id -un  # as ${USER}\n`)
  })

  test('gets every variable and word as it is, and nothing else', async () => {
    const odd = 'ä €\n$HOME `id` \'"\\ \u0001\u0081 \t end '
    const { lines } = await runAs(
      [
        ['sh', '-c', 'printf "%s" "$ODD" "$1" | od -An -v -tx1 | tr -d " \\n"; echo', 'sh', odd],
        [
          'sh',
          '-c',
          'env | grep -c "^FERRYMAN_PAYLOAD="; env | cut -d= -f1 | grep -i "sudo\\|fm_\\|^mail"; cat',
        ],
      ],
      { env: { ODD: odd, HOME: '/elsewhere', line: 'mine' } },
    )

    expect(lines[0]).toBe(Buffer.from(odd + odd).toString('hex'))
    expect(lines.slice(1)).toEqual(['1', ''])
  })

  test('finds its payload in a file that it alone may read, and that is gone afterwards', async () => {
    const { lines } = await runAs([
      [
        'sh',
        '-c',
        'cat "$FERRYMAN_PAYLOAD_FILE"; echo; stat -c "%U %a" "$FERRYMAN_PAYLOAD_FILE" "${FERRYMAN_PAYLOAD_FILE%/*}"; echo "$FERRYMAN_PAYLOAD_FILE"',
      ],
    ])

    expect(lines.slice(0, 3)).toEqual(['{"reason":"release"}', `${USER} 600`, `${USER} 700`])
    expect(existsSync(lines[3] ?? '')).toBe(false)
  })

  test('may open its output again, as any other', async () => {
    const { lines } = await runAs([
      ['sh', '-c', 'echo one > /dev/stderr; echo two | tee /dev/stderr >/dev/null'],
    ])

    expect(lines.slice(0, 2)).toEqual(['one', 'two'])
  })

  test('is ended with all that it has started', async () => {
    const cancel = new AbortController()
    const folder = temporaryFolder()
    chmodSync(folder, 0o777)
    const file = join(folder, 'pids')
    const stop: Stop = { kind: 'by_person', detail: 'Cancelled by mona' }
    const running = runAs(
      [['sh', '-c', `trap "" INT TERM; sleep 300 & setsid sleep 300 & echo $$ $! > ${file}; wait`]],
      { parts: { signal: cancel.signal } },
    )
    await eventually('it runs', () => existsSync(file) && readFileSync(file, 'utf8').endsWith('\n'))
    cancel.abort(stop)

    const { result } = await running

    expect(result.state).toBe('cancelled')
    const pids = readFileSync(file, 'utf8').trim().split(' ').map(Number)
    expect(pids.filter(isRunning)).toEqual([])
  })

  test('says it before the recipe does, and hooks do as well', async () => {
    const folder = temporaryFolder()
    chmodSync(folder, 0o755)
    const hooks = { ...NO_HOOKS, before: [{ command: ['id', '-un'] }] }
    const { log } = await runAs([{ words: ['id', '-un'], runAs: 'root' }], {
      deployment: {
        recipe: recipe({ folder, commands: [{ words: ['id', '-un'], runAs: 'root' }], hooks, runAs: USER }),
      },
    })

    expect(
      log
        .split('\n')
        .filter((line) => !line.startsWith('▸'))
        .slice(0, 2),
    ).toEqual([USER, 'root'])
    expect(log).toContain('▸ $ id -un\nroot')
  })

  test('fails where that user may not go, or does not exist, and says so', async () => {
    const folder = temporaryFolder()
    const closed = await runAs([['true']], {
      deployment: { recipe: recipe({ folder, commands: [['true']], runAs: USER }) },
    })
    const unknown = await runAs([['true']], { runAs: 'ferryman-nobody' })

    expect(closed.result).toMatchObject({ state: 'failed', reason: 'command_failed' })
    expect(closed.log).toContain(`can't cd to ${folder}`)
    const detail = 'There is no user ferryman-nobody on this machine. Make it, or correct run_as.'
    expect(unknown.result).toMatchObject({ state: 'failed', reason: 'config_invalid', detail })
    expect(unknown.result.steps).toMatchObject([{ name: 'true', note: detail }])
  })
})

test.skipIf(!isRoot)(
  'what was handed over goes with the next start, whatever part of the run was known',
  async () => {
    makeUser(USER)
    onTestFinished(() => removeUser(USER))
    const runId = randomBytes(16).toString('hex')
    const met = await createUsers('{}', runId).as(USER)
    const file = met !== undefined && 'variables' in met ? (met.variables['FERRYMAN_PAYLOAD_FILE'] ?? '') : ''
    expect(readFileSync(file, 'utf8')).toBe('{}')

    const gone = { group: 0, bootId: 'of another boot', startTicks: '' }
    await endLeftovers([{ ...gone, runId: randomBytes(16).toString('hex') }], 100)
    expect(existsSync(file)).toBe(true)
    await endLeftovers([{ ...gone, runId: partOf(runId) }], 100)
    expect(existsSync(dirname(file))).toBe(false)
  },
)

test('who we are is nobody else', async () => {
  const me = execFileSync('id', ['-un'], { encoding: 'utf8' }).trim()

  expect(await createUsers('{}', 'cafe').as(me)).toBe(undefined)
})
