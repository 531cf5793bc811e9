import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import type { Deployment, HostResult } from '../../src/deployment/deployment.ts'
import { CANCELLED, FAILED, type EndReason } from '../../src/deployment/reasons.ts'
import { MOVES, type State } from '../../src/deployment/state.ts'
import { githubStatus } from '../../src/report/github-status.ts'
import { slackMessage } from '../../src/report/slack-message.ts'
import { duration, truncate } from '../../src/report/text.ts'
import { deployment, SHA } from '../support/samples.ts'

const ended = { startedAt: 1_000, finishedAt: 13_400 }

describe('the status on GitHub', () => {
  test.each<[Partial<Deployment>, string, string]>([
    [{}, 'queued', 'Waiting in line as acme/shop/production#12'],
    [{ state: 'running' }, 'in_progress', 'Deploying a84d88e as acme/shop/production#12'],
    [
      { state: 'running', approvedBy: 'ann' },
      'in_progress',
      'Deploying a84d88e as acme/shop/production#12, approved by ann',
    ],
    [{ state: 'succeeded', ...ended }, 'success', 'Deployed a84d88e, in 12 s (acme/shop/production#12)'],
    [
      { state: 'succeeded', ...ended, deployedSha: 'f'.repeat(40) },
      'success',
      'Deployed fffffff, asked for a84d88e, in 12 s (acme/shop/production#12)',
    ],
    [
      { state: 'failed', reason: 'command_failed', detail: 'git pull exited with 1: no' },
      'failure',
      'git pull exited with 1: no',
    ],
    [{ state: 'failed', reason: 'task_unknown', detail: 'Unknown task: x' }, 'error', 'Unknown task: x'],
    [{ state: 'failed', reason: 'interrupted' }, 'error', 'Failed: interrupted'],
    [{ state: 'cancelled', reason: 'by_person', detail: 'Cancelled by mona' }, 'error', 'Cancelled by mona'],
    [{ state: 'cancelled', reason: 'superseded' }, 'inactive', 'A newer deployment took its place.'],
    [
      { forced: { by: 'ann', why: 'the sale begins' } },
      'queued',
      'Waiting in line as acme/shop/production#12; forced by ann: the sale begins',
    ],
  ])('of %j is %s', (given, state, description) => {
    expect(githubStatus(deployment(given), undefined)).toEqual({ state, description })
  })

  test('carries the addresses of the log and of the environment', () => {
    const status = githubStatus(
      deployment({ environmentUrl: 'https://shop.example.org' }),
      'https://deploy.example.org/log',
    )

    expect(status).toMatchObject({
      logUrl: 'https://deploy.example.org/log',
      environmentUrl: 'https://shop.example.org',
    })
  })

  test('says who forced it, and why, also where there is much to say', () => {
    const { description } = githubStatus(
      deployment({
        state: 'failed',
        reason: 'command_failed',
        detail: `./deploy.sh exited with 1: ${'no '.repeat(60)}`,
        forced: { by: 'ann', why: `the sale begins ${'now '.repeat(60)}` },
      }),
      undefined,
    )

    expect(description).toMatch(
      /^\.\/deploy\.sh exited with 1: (no )+no…; forced by ann: the sale begins (now )+now…$/,
    )
    expect(description.length).toBeLessThanOrEqual(140)
  })

  test('fits GitHub whatever is in it', () => {
    const reasons = [...Object.keys(FAILED), ...Object.keys(CANCELLED)] as EndReason[]
    fc.assert(
      fc.property(
        fc.constantFrom(...(Object.keys(MOVES) as State[])),
        fc.constantFrom(...reasons),
        fc.string({ unit: 'binary', maxLength: 400 }),
        fc.option(fc.string({ unit: 'binary', maxLength: 400 }), { nil: undefined }),
        (state, reason, detail, why) => {
          const forced = why === undefined ? undefined : { by: why, why }
          const given = deployment({ state, reason, detail, forced, ...ended })
          const { description } = githubStatus(given, undefined)
          expect(Array.from(description).length).toBeLessThanOrEqual(140)
          expect(description).not.toMatch(/[\n\r\0]/)
          expect(description.isWellFormed()).toBe(true)
        },
      ),
    )
  })
})

describe('the Slack message', () => {
  const around = {
    logUrl: 'https://deploy.example.org/deployments/1/log',
    lastLines: [],
    githubUrl: 'https://github.com',
  }

  test('names repository, environment, commit, person, state, duration and log', () => {
    const message = slackMessage(
      deployment({
        state: 'succeeded',
        ...ended,
        creator: 'acme-bot',
        environmentUrl: 'https://shop.example.org/?a=b',
      }),
      around,
    )

    expect(message.text).toBe('Deployed acme/shop/production#12 at a84d88e, by mona')
    expect(message.blocks).toEqual([
      {
        type: 'section',
        text: {
          type: 'mrkdwn',
          verbatim: true,
          text: ':white_check_mark: Deployed *acme/shop* to *production*',
        },
      },
      {
        type: 'context',
        elements: [
          {
            type: 'mrkdwn',
            verbatim: true,
            text: `<https://github.com/acme/shop/commit/${SHA}|a84d88e> (\`main\`)`,
          },
          { type: 'mrkdwn', verbatim: true, text: '#12 by mona (through acme-bot)' },
          { type: 'mrkdwn', verbatim: true, text: 'took 12 s' },
          { type: 'mrkdwn', verbatim: true, text: '<https://shop.example.org/?a=b|open>' },
          { type: 'mrkdwn', verbatim: true, text: '<https://deploy.example.org/deployments/1/log|log>' },
        ],
      },
    ])
  })

  test('quotes the last lines of the step that failed', () => {
    const failed = deployment({
      state: 'failed',
      reason: 'command_failed',
      detail: 'make exited with 2: boom',
      ...ended,
    })

    const message = slackMessage(failed, { ...around, lastLines: ['compiling', 'error: `x` <y> & z'] })

    expect(message.text).toBe(
      'Could not deploy acme/shop/production#12 at a84d88e, by mona: make exited with 2: boom',
    )
    expect(message.blocks.at(-1)).toEqual({
      type: 'section',
      text: { type: 'mrkdwn', verbatim: true, text: "```compiling\nerror: 'x' &lt;y&gt; &amp; z```" },
    })
  })

  test('lets nobody call a channel, forge a link or leave the size that Slack takes', () => {
    const word = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 600 }),
      fc.constantFrom(
        '<!channel>',
        '<@U1>',
        '<https://evil.example|ok>',
        '&lt;',
        '```',
        '&'.repeat(900),
        '<'.repeat(900),
      ),
    )
    fc.assert(
      fc.property(word, word, word, word, fc.array(word), (environment, ref, actor, detail, lastLines) => {
        const failed = deployment({
          state: 'failed',
          reason: 'command_failed',
          environment,
          ref,
          actor,
          detail,
          forced: { by: actor, why: detail },
          ...ended,
        })
        const message = slackMessage(failed, { ...around, lastLines })
        const texts = [
          message.text,
          ...JSON.stringify(message.blocks)
            .matchAll(/"text":"((?:[^"\\]|\\.)*)"/g)
            .map(([, text]) => text ?? ''),
        ]
        for (const text of texts) {
          const ours = text.replaceAll(
            /<https:\/\/(github\.com\/acme\/shop\/commit|deploy\.example\.org\/deployments)\/[^<>|]*\|(\w+)>/g,
            '',
          )
          expect(ours).not.toMatch(/[<>]/)
          expect(text.length).toBeLessThanOrEqual(3_000 * 2) // JSON escapes included
        }
        for (const block of message.blocks as { text?: { text: string } }[])
          expect(block.text?.text.length ?? 0).toBeLessThanOrEqual(3_000)
      }),
    )
  })
})

test('words from outside neither break a line nor turn it around, on GitHub and in Slack', () => {
  const hostile = deployment({
    state: 'failed',
    reason: 'command_failed',
    environment: 'a\u202eb\u2066c\u200f',
    ref: 'x\u202ey\r\nz',
    detail: 'first\u001b[2J\u009b\n\u2028second\u202e\ufeff',
    ...ended,
  })

  const texts = [
    githubStatus(hostile, undefined).description,
    JSON.stringify(
      slackMessage(hostile, { logUrl: undefined, lastLines: [], githubUrl: 'https://github.com' }),
    ),
  ]

  for (const text of texts) expect(text).not.toMatch(/[\p{Cc}\p{Bidi_Control}\u2028\u2029\ufeff]/u)
  expect(texts[0]).toContain('first [2J second')
})

test.each([
  [0, '0.0 s'],
  [440, '0.4 s'],
  [9_949, '9.9 s'],
  [9_950, '10 s'],
  [59_400, '59 s'],
  [60_000, '1 min'],
  [125_000, '2 min 5 s'],
  [3_600_000, '1 h'],
  [3_720_000, '1 h 2 min'],
])('%i ms is %s', (milliseconds, text) => {
  expect(duration(milliseconds)).toBe(text)
})

test('a cut never leaves half a character', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 2, max: 50 }), (text, most) => {
      const cut = truncate(text, most)
      expect(cut.length).toBeLessThanOrEqual(most)
      expect(cut.isWellFormed()).toBe(true)
      if (text.length <= most) expect(cut).toBe(text.toWellFormed())
    }),
  )
})

describe('a deployment by a playbook', () => {
  const host = (name: string, failed = 0): HostResult => ({ name, ok: 3, changed: 1, unreachable: 0, failed })
  const steps = (hasReportedCommit: boolean, ...hosts: HostResult[]): Deployment['steps'] => [
    {
      name: 'ansible-playbook',
      exitCode: 0,
      signal: undefined,
      seconds: 1,
      recap: { hosts, hostCount: hosts.length, hasReportedCommit },
    },
  ]
  const message = (given: Partial<Deployment>) =>
    slackMessage(deployment({ ...ended, ...given }), {
      logUrl: undefined,
      lastLines: [],
      githubUrl: 'https://github.com',
    })

  test('names its hosts on GitHub, and the doubt about what is there', () => {
    const description = (given: Deployment['steps']) =>
      githubStatus(deployment({ state: 'succeeded', ...ended, steps: given }), undefined).description

    expect(description(steps(false, host('web1')))).toBe(
      'Deployed a84d88e to 1 host, version not verified, in 12 s (acme/shop/production#12)',
    )
    expect(description(steps(true, host('web1'), host('web2')))).toBe(
      'Deployed a84d88e to 2 hosts, in 12 s (acme/shop/production#12)',
    )
  })

  test('shows how each host fared in Slack', () => {
    const { text, blocks } = message({ state: 'succeeded', steps: steps(false, host('web1'), host('db10')) })

    expect(text).toBe('Deployed acme/shop/production#12 at a84d88e, version not verified, by mona')
    expect(blocks).toContainEqual({
      type: 'section',
      text: {
        type: 'mrkdwn',
        verbatim: true,
        text: '```web1  ok=3 changed=1 unreachable=0 failed=0\ndb10  ok=3 changed=1 unreachable=0 failed=0```',
      },
    })
    expect(message({ state: 'succeeded', steps: steps(true, host('web1')) }).text).not.toContain('verified')
    expect(message({ state: 'failed', steps: steps(false, host('web1', 1)) }).text).not.toContain('verified')
  })

  test('of many hosts with hostile names stays within what Slack takes', () => {
    const hosts = Array.from({ length: 300 }, (_, index) =>
      host(`${index}<!channel>\`\`\`&${'x'.repeat(300)}`),
    )
    const { blocks } = message({ state: 'failed', steps: steps(false, ...hosts) })
    const table = JSON.stringify(blocks[2])

    expect(table).toContain('… and 290 more hosts')
    expect(table).not.toMatch(/<!channel>|```&/)
    expect(table.length).toBeLessThan(3_000)
  })
})
