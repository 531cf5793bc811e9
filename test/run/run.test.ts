import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'

import { problem } from '../../src/errors.ts'
import { createMasker } from '../../src/logs/redact.ts'
import { PATIENCE } from '../../src/run/ending.ts'
import type { Stop } from '../../src/run/limits.ts'
import { recipe, SHA } from '../support/samples.ts'
import { command, eventually, isRunning, runFor, temporaryFolder } from '../support/running.ts'

/** A log that nobody reads. */
const QUIET = {
  line: async () => {},
  announce: async () => {},
  mark: () => {},
  lastLines: () => [],
  flush: () => {},
  close: async () => {},
  write: async () => {},
}

const numberIn = (log: string, word: string): number =>
  Number(new RegExp(`^${word} (\\d+)$`, 'm').exec(log)?.[1])

test('the log narrates: who asked for what, each command, how it ended and how long it took', async () => {
  const { result, log } = await runFor({ commands: [['echo', 'hello'], ['true']] })

  expect(result).toMatchObject({ state: 'succeeded', deployedSha: undefined })
  expect(result.steps.map(({ name, exitCode }) => [name, exitCode])).toEqual([
    ['echo hello', 0],
    ['true', 0],
  ])
  expect(log.replaceAll(/\d\.\d s/g, 'N s').split('\n')).toEqual([
    `▸ acme/shop/production#12: deploy ${SHA} (main), asked for by mona through acme-bot`,
    '▸ $ echo hello',
    'hello',
    '▸ exit 0 (N s)',
    '▸ $ true',
    '▸ exit 0 (N s)',
    '',
  ])
})

test('the first failure ends the run and names the useful line', async () => {
  const { result, log, directory } = await runFor({ commands: [[command('fails.sh')], ['touch', 'never']] })

  expect(result).toMatchObject({ state: 'failed', reason: 'command_failed' })
  expect(result.state === 'failed' && result.detail).toMatch(/ exited with 3: error: expected a semicolon$/)
  expect(log).toContain('exit 3')
  expect(existsSync(join(directory, 'never'))).toBe(false)
})

test('both outputs come in the order in which they were written', async () => {
  const { log } = await runFor({ commands: [[command('prints-both-streams.sh')]] })

  const lines = log.split('\n').filter((line) => /^(out|err) /.test(line))
  expect(lines).toEqual(Array.from({ length: 200 }, (_, index) => [`out ${index}`, `err ${index}`]).flat())
})

test('the outputs can be opened by name, as scripts do', async () => {
  const { result, log } = await runFor({
    commands: [['sh', '-c', 'echo one > /dev/stderr; echo two | tee /dev/stderr > /dev/null']],
  })

  expect(result.state).toBe('succeeded')
  expect(log).toContain('\none\ntwo\n')
})

test('arguments arrive byte for byte, whatever a shell would make of them', async () => {
  const word = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 30 }).map((text) => text.replaceAll(/[\0{}]/g, '').toWellFormed()),
    fc.constantFrom(
      '$(id)',
      '`id`',
      ';id',
      '&&',
      '|',
      '*',
      '~',
      '"',
      "'",
      '\\',
      '\n',
      '-rf',
      '--',
      '',
      'π',
      '#',
      '!',
    ),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(word, { minLength: 1, maxLength: 5 }), async (words) => {
      const seen: Buffer[] = []
      const log = { ...QUIET, write: async (chunk: Buffer) => void seen.push(chunk) }
      await runFor({ commands: [[command('prints-arguments.sh'), ...words]], parts: { log } })
      expect(Buffer.concat(seen).toString()).toBe(words.map((one) => `${one}\0`).join(''))
    }),
    { numRuns: 25 },
  )
})

describe('the environment of a command', () => {
  const environmentFor = async (given: Partial<Parameters<typeof runFor>[0]> = {}) => {
    const { log } = await runFor({ commands: [[command('prints-environment.sh')]], ...given })
    return new Map(
      log
        .split('\n')
        .flatMap((line) =>
          /^\w+=/.test(line)
            ? [[line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const]
            : [],
        ),
    )
  }

  test('holds what is promised and nothing of the server', async () => {
    const variables = await environmentFor({ env: { RAILS_ENV: 'production' } })

    expect(
      [...variables.keys()]
        .filter((name) => !['TMPDIR', 'TZ', 'LANG', '_', 'SHLVL', 'OLDPWD'].includes(name))
        .toSorted(),
    ).toEqual(
      [
        'FERRYMAN_DEPLOYMENT',
        'FERRYMAN_DEPLOYMENT_ID',
        'FERRYMAN_ENVIRONMENT',
        'FERRYMAN_NUMBER',
        'FERRYMAN_PAYLOAD',
        'FERRYMAN_PAYLOAD_FILE',
        'FERRYMAN_PREVIOUS_SHA',
        'FERRYMAN_RUN_ID',
        'FERRYMAN_SHA',
        'FERRYMAN_SHORT_SHA',
        'GITHUB_CREATOR',
        'GITHUB_CREATOR_AVATAR',
        'GITHUB_DEPLOYMENT_ID',
        'GITHUB_DEPLOYMENT_URL',
        'GITHUB_ENV',
        'GITHUB_OWNER',
        'GITHUB_REF',
        'GITHUB_REPO',
        'GITHUB_SHA',
        'GITHUB_TASK',
        'HOME',
        'LC_ALL',
        'LOGNAME',
        'PATH',
        'PWD',
        'RAILS_ENV',
        'SHELL',
        'USER',
      ].toSorted(),
    )
    expect(Object.fromEntries(variables)).toMatchObject({
      GITHUB_CREATOR: 'mona',
      GITHUB_ENV: 'production',
      GITHUB_OWNER: 'acme',
      GITHUB_REPO: 'shop',
      GITHUB_SHA: SHA,
      GITHUB_DEPLOYMENT_ID: '4711',
      FERRYMAN_DEPLOYMENT: 'acme/shop/production#12',
      FERRYMAN_PAYLOAD: '{"reason":"release"}',
      RAILS_ENV: 'production',
      LC_ALL: 'C.UTF-8',
    })
    expect(variables.get('PATH')).not.toContain('node_modules')
  })

  test('leaves a payload that is too large for a variable to the file', async () => {
    const payload = JSON.stringify({ text: 'x'.repeat(200_000) })
    const { log } = await runFor({
      commands: [
        [
          'sh',
          '-c',
          'echo "variable: ${FERRYMAN_PAYLOAD-none}"; wc -c < "$FERRYMAN_PAYLOAD_FILE"; stat -c %a "$FERRYMAN_PAYLOAD_FILE"',
        ],
      ],
      deployment: {
        payload,
        recipe: {
          ...recipe(),
          folder: '/',
          commands: [
            [
              'sh',
              '-c',
              'echo "variable: ${FERRYMAN_PAYLOAD-none}"; wc -c < "$FERRYMAN_PAYLOAD_FILE"; stat -c %a "$FERRYMAN_PAYLOAD_FILE"',
            ],
          ],
        },
      },
    })

    expect(log).toContain(`variable: none\n${payload.length}\n600\n`)
  })
})

test('a command has nothing to read and no files of the server', async () => {
  const { log } = await runFor({ commands: [['cat'], [command('prints-open-files.sh')]] })

  const openFiles = (text: string) =>
    text
      .split('\n')
      .filter((line) => /^\d+$/.test(line))
      .map(Number)
  // What was handed to the test itself without a mark to close it is nothing that the server could know of.
  const handedOn = openFiles(
    execFileSync(command('prints-open-files.sh'), { stdio: ['ignore', 'pipe', 'ignore'], encoding: 'utf8' }),
  )
  expect(openFiles(log).filter((fd) => fd > 2 && !handedOn.includes(fd))).toEqual([])
  expect(log).toContain('▸ $ cat\n▸ exit 0')
})

describe('what cannot be started', () => {
  test('is told apart from what failed: no such program', async () => {
    const { result } = await runFor({ commands: [['no-such-program', '--now']] })

    expect(result).toEqual({
      state: 'failed',
      lastLines: [],
      reason: 'command_not_found',
      detail: 'Command not found: no-such-program',
      steps: [{ name: 'no-such-program --now', note: 'Command not found: no-such-program', seconds: 0 }],
    })
  })

  test.each([
    ['#! /opt/gone/bin/python -u\n', 'names /opt/gone/bin/python, and there is no such program.'],
    ['#!/bin/sh\r\nexit 0\r\n', 'ends as on Windows (CR LF). Save it with LF.'],
  ])('a script that begins with %j', async (text, said) => {
    const folder = temporaryFolder()
    writeFileSync(join(folder, 'deploy'), text, { mode: 0o755 })

    expect((await runFor({ commands: [['./deploy']], folder })).result).toMatchObject({
      reason: 'command_not_found',
      detail: `./deploy cannot be started: its first line ${said}`,
    })
  })

  test('a variable that is longer than the system takes', async () => {
    const { result } = await runFor({ commands: [['true']], env: { LONG: 'x'.repeat(200_000) } })

    expect(result).toMatchObject({
      detail:
        'true could not be started: its arguments and variables are longer than the system takes (E2BIG)',
    })
  })

  test('a folder instead of a program', async () => {
    expect((await runFor({ commands: [['./logs']] })).result).toMatchObject({ reason: 'command_not_found' })
  })

  test('no such folder', async () => {
    const { result } = await runFor({ commands: [['true']], folder: '/no/such/folder' })

    expect(result).toMatchObject({
      reason: 'folder_missing',
      detail: 'The folder /no/such/folder does not exist.',
    })
  })

  test('something else than a folder, or a circle of links', async () => {
    const directory = temporaryFolder()
    writeFileSync(join(directory, 'file'), '')
    symlinkSync('circle', join(directory, 'circle'))

    const details = []
    for (const folder of ['file', 'file/below', 'circle'].map((name) => join(directory, name))) {
      const { result } = await runFor({ commands: [['true']], folder })
      details.push(result.state === 'failed' && result.detail.replace(directory, ''))
    }
    expect(details).toEqual([
      '/file is not a folder.',
      'The folder /file/below does not exist.',
      'The folder /circle does not exist.',
    ])
  })

  test('an argument that no program can be given', async () => {
    const { result } = await runFor({ commands: [['echo', 'a\0b']] })

    expect(result).toMatchObject({
      reason: 'argument_refused',
      detail:
        'An argument of "echo" contains a NUL character, which no program can be given. (acme/shop/production#12)',
    })
  })

  test('a start that could not be written down', async () => {
    const { result, directory } = await runFor({
      commands: [['touch', 'proof']],
      parts: { record: () => Promise.reject(new Error('disk full')) },
    })

    expect(result).toMatchObject({
      reason: 'internal_error',
      detail: 'touch was not started, since its start could not be written down: disk full',
    })
    expect(existsSync(join(directory, 'proof'))).toBe(false)
  })

  test('arguments larger than the system takes', async () => {
    const words = Array.from({ length: 30 }, () => 'x'.repeat(100_000))
    const { result } = await runFor({ commands: [['echo', ...words]] })

    expect(result.state === 'failed' && result.detail).toMatch(/^echo could not be started: .*E2BIG/)
  })

  test('a value that would become an option', async () => {
    const { result } = await runFor({ commands: [['git', 'checkout', '{ref}']], deployment: {}, parts: {} })
    expect(result.state).toBe('failed') // no repository here: it ran

    const refused = await runFor({
      commands: [],
      deployment: {
        ref: '--upload-pack=id',
        recipe: {
          ...recipe(),
          folder: '/',
          commands: [['git', 'fetch', 'origin', '{ref}']],
        },
      },
    })
    expect(refused.result).toMatchObject({
      reason: 'argument_refused',
      detail:
        'The argument "{ref}" was refused: {ref} begins with "-" and would be taken for an option. (acme/shop/production#12)',
    })
  })
})

describe('what a command leaves behind', () => {
  test('in its group is ended with it', async () => {
    const { result, log } = await runFor({ commands: [[command('leaves-child.sh')]] })

    expect(result.state).toBe('succeeded')
    const child = numberIn(log, 'left')
    expect(isRunning(child)).toBe(false)
    expect(log).toMatch(/▸ exit 0 \(.*\)\n▸ Ended what it had left behind: 1 process of its group\./)
  })

  test('in a session of its own lives on, and holds nobody up', async () => {
    const { result, log } = await runFor({ commands: [[command('takes-own-session.sh')]] })

    const daemon = numberIn(log, 'daemon')
    expect(result.state).toBe('succeeded')
    expect(isRunning(daemon)).toBe(true)
    process.kill(daemon, 'SIGKILL')
    expect(log).toContain(`▸ Still running, in a session of its own: sleep (${daemon})`)
  })

  test.each([
    ['the output of the command', '', true],
    ['another one', '>/dev/null 2>&1', false],
  ])('and prints into %s: only the former is warned of', async (_, to, hasIt) => {
    const script = `setsid sleep 300 ${to} & echo "daemon $!"`
    const { log } = await runFor({ commands: [['sh', '-c', script]] })

    process.kill(numberIn(log, 'daemon'), 'SIGKILL')
    expect(log.includes('which is read no longer: printing ends it (SIGPIPE).')).toBe(hasIt)
  })

  test('in a session of its own may print without end, and holds nobody up', async () => {
    const script = 'setsid sh -c "while sleep 0.05; do echo more; done" & echo "daemon $!"'
    const { result, log } = await runFor({ commands: [['sh', '-c', script]], parts: { patience: PATIENCE } })

    process.kill(numberIn(log, 'daemon'), 'SIGKILL')
    expect(result.steps[0]?.seconds).toBeLessThan(PATIENCE.drainMs / 1000)
  })

  test('in its group lives on where leave_processes says so, and is named', async () => {
    const { result, log } = await runFor({ commands: [[command('leaves-child.sh')]], leaveProcesses: true })

    const child = numberIn(log, 'left')
    expect(result.state).toBe('succeeded')
    expect(isRunning(child)).toBe(true)
    process.kill(child, 'SIGKILL')
    expect(log).toContain(`▸ Still running: sleep (${child})`)
  })

  test('by a command that failed is ended all the same', async () => {
    const { log } = await runFor({
      commands: [['sh', '-c', `${command('leaves-child.sh')}; exit 3`]],
      leaveProcesses: true,
    })

    expect(isRunning(numberIn(log, 'left'))).toBe(false)
  })

  test('in a session of its own is named also when a later command fails', async () => {
    const { result, log } = await runFor({ commands: [[command('takes-own-session.sh')], ['false']] })

    const daemon = numberIn(log, 'daemon')
    expect(result.state).toBe('failed')
    expect(isRunning(daemon)).toBe(true)
    process.kill(daemon, 'SIGKILL')
    expect(log).toContain(`▸ Still running, in a session of its own: sleep (${daemon})`)
  })
})

describe('what escapes', () => {
  // Neither group, nor session, nor environment, nor output, nor parent tie it to the run.
  const ESCAPES = 'setsid env -i sh -c "sleep 300 & echo \\$! > $1; exit" >/dev/null 2>&1 </dev/null'

  test.each([
    ['by its limit', { timeoutSeconds: 1 }, ['sleep', '300']],
    ['by its silence', { silenceSeconds: 1 }, ['sleep', '300']],
  ])('a run that is ended %s is ended with it', async (_, limits, last) => {
    const file = join(temporaryFolder(), 'pid')
    await runFor({ commands: [['sh', '-c', ESCAPES, 'sh', file], last], ...limits })

    expect(isRunning(Number(readFileSync(file, 'utf8')))).toBe(false)
  })

  test('between two commands ends with a run that has to end then', async () => {
    const file = join(temporaryFolder(), 'pid')
    const abort = new AbortController()
    const reason: Stop = { kind: 'by_person', detail: 'Cancelled by mona' }
    const { result } = await runFor({
      commands: [['sh', '-c', ESCAPES, 'sh', file], ['true']],
      parts: {
        signal: abort.signal,
        clock() {
          if (existsSync(file)) abort.abort(reason) // asked for when the first command has ended
          return 0
        },
      },
    })

    expect(result).toMatchObject({ state: 'cancelled', reason: 'by_person', detail: 'Cancelled by mona' })
    expect(isRunning(Number(readFileSync(file, 'utf8')))).toBe(false)
  })

  test('lives on after a success, and is named', async () => {
    const file = join(temporaryFolder(), 'pid')
    const { log } = await runFor({ commands: [['sh', '-c', ESCAPES, 'sh', file]] })

    const pid = Number(readFileSync(file, 'utf8'))
    expect(isRunning(pid)).toBe(true)
    process.kill(pid, 'SIGKILL')
    expect(log).toMatch(new RegExp(`^▸ Still running, in a session of its own: \\w+ \\(${pid}\\)$`, 'm'))
  })
})

describe('a run that has to end', () => {
  test('at its time limit what waits to be written down is waited for no longer', async () => {
    const waiting = (signal: AbortSignal): Promise<void> =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(new Error('it is wanted no longer')))
      })

    const { result, log } = await runFor({
      commands: [['touch', 'never']],
      timeoutSeconds: 0.2,
      parts: { record: (_process, signal) => waiting(signal) },
    })

    expect(result).toMatchObject({ state: 'failed', reason: 'timed_out' })
    expect(log).toContain('The time limit of 0.2 s was reached')
  })

  test('at its time limit ends everything, also what ignores TERM', async () => {
    const { result, log } = await runFor({
      commands: [[command('ignores-term.sh')], ['true']],
      timeoutSeconds: 0.5,
    })

    expect(result).toMatchObject({ state: 'failed', reason: 'timed_out' })
    expect(result.state === 'failed' && result.detail).toMatch(
      /^The time limit of 0.5 s was reached in .*ignores-term.sh\.$/,
    )
    expect(isRunning(numberIn(log, 'child'))).toBe(false)
  })

  test('also ends what took a session of its own', async () => {
    const { log } = await runFor({
      commands: [['sh', '-c', `${command('takes-own-session.sh')}; sleep 300`]],
      timeoutSeconds: 1,
    })

    expect(isRunning(numberIn(log, 'daemon'))).toBe(false)
  })

  test('after a time without output ends, and names the step and the time', async () => {
    const { result, log } = await runFor({
      commands: [['echo', 'one'], ['sleep', '300'], ['true']],
      silenceSeconds: 0.5,
    })

    expect(result).toMatchObject({
      state: 'failed',
      reason: 'silent',
      detail: 'Nothing was printed for 0.5 s in sleep 300.',
      steps: [{ exitCode: 0 }, { signal: 'SIGINT' }],
    })
    expect(log).toContain('▸ Nothing was printed for 0.5 s in sleep 300.')
  })

  test('is none for silence as long as something is printed, also what is no whole line', async () => {
    const { result } = await runFor({
      commands: [['sh', '-c', 'for i in 1 2 3 4 5 6 7 8; do printf .; sleep 0.25; done']],
      silenceSeconds: 1.5,
    })

    expect(result.state).toBe('succeeded')
  })

  test('is none for silence while its output waits for the log', async () => {
    let writes = 0
    const log = {
      ...QUIET,
      write: () => ((writes += 1) > 1 ? Promise.resolve() : new Promise<void>((r) => setTimeout(r, 2_000))),
    }
    const { result } = await runFor({
      commands: [['sh', '-c', 'echo one; exec sleep 1.5']],
      silenceSeconds: 1,
      parts: { log },
    })

    expect(writes).toBe(1)
    expect(result.state).toBe('succeeded')
  })

  test('is no reason for a command that had failed before', async () => {
    const lingers = 'trap "" TERM; (while :; do echo still here; sleep 0.05; done) & sleep 0.1; exit 3'
    const { result } = await runFor({
      commands: [['sh', '-c', lingers]],
      timeoutSeconds: 0.5,
      parts: { patience: { ...PATIENCE, leaveMs: 600, quietMs: 100, drainMs: 200 } },
    })

    expect(result).toMatchObject({ reason: 'command_failed', steps: [{ exitCode: 3 }] })
  })

  test('for the server says so, and starts no further step', async () => {
    const abort = new AbortController()
    const reason: Stop = { kind: 'interrupted', detail: 'Interrupted: Ferryman was stopped.' }
    const begun = join(temporaryFolder(), 'begun')
    const running = runFor({
      commands: [
        ['sh', '-c', `touch ${begun}; exec ${command('forever.sh')}`],
        ['touch', 'never'],
      ],
      parts: { signal: abort.signal },
    })

    await eventually('the command runs', () => existsSync(begun))
    abort.abort(reason)
    const { result, log } = await running

    expect(result).toMatchObject({ reason: 'interrupted', detail: 'Interrupted: Ferryman was stopped.' })
    expect(log).not.toContain('never')
  })
})

test('output beyond the limit is cut in the middle, and memory stays bounded', async () => {
  const before = process.memoryUsage().rss

  const { result, log } = await runFor({
    commands: [
      ['echo', 'first'],
      [command('floods.sh'), '200'],
      ['echo', 'last'],
    ],
    maxLogBytes: 1_048_576,
  })

  expect(result.state).toBe('succeeded')
  expect(Buffer.byteLength(log)).toBeLessThanOrEqual(1_048_576)
  expect(log).toContain('\nfirst\n')
  expect(log).toMatch(/left out/)
  expect(log).toContain('\nlast\n')
  expect(process.memoryUsage().rss - before).toBeLessThan(140 * 1_048_576) // it wrote 200 MB
})

const full = () => Promise.reject(problem('log_unwritable', { file: 'logs/7', cause: 'disk full' }))

test('output that cannot be kept ends the command and the run', async () => {
  const told: string[] = []
  const log = { ...QUIET, line: async (text: string) => void told.push(text), write: full }

  const { result, recorded } = await runFor({ commands: [[command('forever.sh')]], parts: { log } })

  expect(result).toMatchObject({ state: 'failed', reason: 'log_unwritable' })
  expect(told.at(-1)).toBe(
    'The log logs/7 cannot be written: disk full. What would follow here is missing, and nothing more was begun.',
  )
  expect(recorded.filter(({ group }) => isRunning(group))).toEqual([])
})

test('what cannot be announced is not begun, and what ran before is told', async () => {
  const log = { ...QUIET, announce: (text: string) => (text === '$ touch three' ? full() : QUIET.announce()) }

  const { result, directory } = await runFor({
    commands: [['true'], ['echo', 'two'], ['touch', 'three']],
    parts: { log },
  })

  expect(result).toMatchObject({ reason: 'log_unwritable', steps: [{ name: 'true' }, { name: 'echo two' }] })
  expect(existsSync(join(directory, 'three'))).toBe(false)
})

test('the process is written down, with its group, boot and start, before the command begins', async () => {
  const seen: boolean[] = []
  const { recorded, directory } = await runFor({
    commands: [['touch', 'proof']],
    parts: { record: async () => void seen.push(existsSync('proof')) },
  })

  expect(seen).toEqual([false])
  expect(recorded).toEqual([])
  expect(existsSync(join(directory, 'proof'))).toBe(true)
})

test('the private folder of a run is gone afterwards', async () => {
  const { directory } = await runFor({ commands: [['false']] })

  expect(readdirSync(join(directory, 'runs'))).toEqual([])
})

test('secrets from references are masked in the log, in the step and in the error', async () => {
  const masker = createMasker([])
  const { result, log } = await runFor({
    commands: [['sh', '-c', 'echo "error: token $TOKEN"; exit 1']],
    deployment: {
      recipe: {
        ...recipe(),
        folder: '/',
        commands: [['sh', '-c', 'echo "error: token $TOKEN"; exit 1']],
        env: { TOKEN: { template: '${TOKEN}' } },
      },
    },
    parts: { masker, resolve: () => 'hunter2-is-secret' },
  })

  expect(log).not.toContain('hunter2')
  expect(JSON.stringify(result)).not.toContain('hunter2')
  expect(result.state === 'failed' && result.detail).toContain('error: token')
})

test('a folder that is not at the commit asked for is told', async () => {
  const { result, log } = await runFor({
    commands: [
      ['git', 'init', '-q', '.'],
      [
        'git',
        '-c',
        'user.name=x',
        '-c',
        'user.email=x@example.org',
        'commit',
        '-q',
        '--allow-empty',
        '-m',
        'one',
      ],
      ['git', 'remote', 'add', 'origin', 'git@github.com:Acme/shop.git'],
    ],
  })

  expect(result.state === 'succeeded' && result.deployedSha).toMatch(/^[0-9a-f]{40}$/)
  expect(log).toMatch(/▸ The folder is now at [0-9a-f]{7}, asked for a84d88e\./)
})

test('a folder of another repository is nothing to speak of', async () => {
  const { result } = await runFor({
    commands: [
      ['git', 'init', '-q', '.'],
      [
        'git',
        '-c',
        'user.name=x',
        '-c',
        'user.email=x@example.org',
        'commit',
        '-q',
        '--allow-empty',
        '-m',
        'one',
      ],
      ['git', 'remote', 'add', 'origin', 'https://github.com/acme/operations'],
    ],
  })

  expect(result).toMatchObject({ state: 'succeeded', deployedSha: undefined })
})

test('what nobody foresaw is thrown to whoever waits for the run, and to nobody else', async () => {
  const directory = join(temporaryFolder(), 'runs')
  writeFileSync(directory, 'in the way')
  const unheard: unknown[] = []
  const listen = (thrown: unknown): void => void unheard.push(thrown)
  process.on('unhandledRejection', listen)
  onTestFinished(() => void process.off('unhandledRejection', listen))

  await expect(runFor({ commands: [['true']], parts: { directory } })).rejects.toThrow('ENOTDIR')

  expect(unheard).toEqual([])
})
