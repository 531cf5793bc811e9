import { describe, expect, test } from 'vitest'

import type { SlackNotices } from '../../src/config/config.ts'
import { SLACK_EVENTS, type SlackEvent } from '../../src/config/schema.ts'
import type { Deployment } from '../../src/deployment/deployment.ts'
import type { FailureStreak } from '../../src/store/store.ts'
import { forcedReportsFor, reportsFor, type ReportContext } from '../../src/report/reports.ts'
import { deployment, SHA, slackNotices } from '../support/samples.ts'

const context = (notices: Partial<SlackNotices> | undefined): ReportContext => ({
  logUrl: () => undefined,
  mask: (text) => text.replaceAll('hunter2', '***'),
  slack: () => notices && slackNotices(notices),
  hasCommitStatus: () => false,
  githubUrl: 'https://github.com',
})

/** The first word of what Slack is told; undefined: nothing. */
const said = (
  given: Partial<Deployment>,
  notices: Partial<SlackNotices> | undefined,
  streak?: FailureStreak,
): string | undefined => {
  const reports = reportsFor(deployment(given), streak, context(notices))
  const report = reports.find(({ channel }) => channel === 'slack')
  return report && (report.body as { readonly text: string }).text.split(' ')[0]
}

const hold = { reason: 'checks_pending', detail: 'Waiting for ci/test', since: 0, until: undefined } as const

test.each<[Partial<Deployment>, SlackEvent | undefined, string | undefined]>([
  [{ state: 'queued', hold: { ...hold, reason: 'deciding' } }, undefined, undefined],
  [{ state: 'queued', hold: { ...hold, reason: 'checks_stale' } }, undefined, undefined],
  [{ state: 'queued', hold: { ...hold, reason: 'author_unknown' } }, undefined, undefined],
  [{ state: 'queued', hold: { ...hold, reason: 'commit_unchecked' } }, undefined, undefined],
  [{ state: 'queued', hold }, 'held', 'Held'],
  [{ state: 'queued' }, 'queued', 'Queued'],
  [{ state: 'running' }, 'started', 'Deploying'],
  [{ state: 'cancelling' }, undefined, undefined],
  [{ state: 'succeeded' }, 'succeeded', 'Deployed'],
  [{ state: 'failed', reason: 'command_failed' }, 'failed', 'Could'],
  [{ state: 'cancelled', reason: 'by_person' }, 'cancelled', 'Cancelled'],
  [{ state: 'cancelled', reason: 'superseded' }, undefined, undefined],
])('of %j Slack hears where it is told of %s', (given, event, word) => {
  const others = SLACK_EVENTS.filter((one) => one !== event)

  expect(said(given, { events: event === undefined ? SLACK_EVENTS : [event] })).toBe(word)
  expect(said(given, { events: others })).toBeUndefined()
  expect(said(given, undefined)).toBeUndefined()
})

test('the address of a published log is told whole in the place of our own, whatever secret is in it', () => {
  const logUrl = 'https://logs.s3.example.org/1.log?key=hunter2&signature=x'
  const failed = {
    state: 'failed',
    reason: 'command_failed',
    detail: `no hunter2 at ${logUrl}`,
    logUrl,
  } as const
  const around = { ...context({ events: ['failed'] }), logUrl: () => 'https://deploy.example.org/1' }

  const [status, message] = reportsFor(deployment(failed), undefined, around)

  expect(status?.body).toMatchObject({ logUrl, description: expect.stringContaining('no *** at ') })
  expect(JSON.stringify(message?.body)).toContain(`<${logUrl}|log>`)
  expect(reportsFor(deployment({ ...failed, logUrl: undefined }), undefined, around)[0]?.body).toMatchObject({
    logUrl: 'https://deploy.example.org/1',
  })
})

test('that somebody has forced something is told wherever there is a Slack, without secrets', () => {
  const forced = { by: 'ann', why: 'the password is hunter2' }
  const held = deployment({ state: 'queued', hold, forced })

  const [status, message] = forcedReportsFor(held, undefined, context({ events: [] }))

  expect(status?.body).toMatchObject({
    description: 'Held as acme/shop/production#12: Waiting for ci/test; forced by ann: the password is ***',
  })
  expect(message?.body).toMatchObject({
    text: 'Forced acme/shop/production#12 at a84d88e, by mona: Waiting for ci/test (forced by ann: the password is ***)',
  })
  expect(forcedReportsFor(held, undefined, context(undefined))).toHaveLength(1)
  const fresh = { ...held, hold: { ...hold, reason: 'deciding' } } as const
  expect(forcedReportsFor(fresh, undefined, context({ events: [] }))).toMatchObject([
    {
      body: {
        text: 'Forced acme/shop/production#12 at a84d88e, by mona (forced by ann: the password is ***)',
      },
    },
  ])
  expect(
    forcedReportsFor(
      { ...held, state: 'cancelled', reason: 'superseded' },
      undefined,
      context({ events: [] }),
    ),
  ).toHaveLength(1)
})

test('what is held says why, without secrets', () => {
  const held = deployment({ state: 'queued', hold: { ...hold, detail: 'Locked by mona: hunter2' } })

  const [, message] = reportsFor(held, undefined, context({ events: ['held'] }))

  expect(message?.body).toMatchObject({
    text: 'Held acme/shop/production#12 at a84d88e, by mona: Locked by mona: ***',
    blocks: [{ text: { text: ':hourglass: Held *acme/shop* to *production*\nLocked by mona: ***' } }, {}],
  })
})

describe('while an environment fails again and again', () => {
  const streak = { failures: 3, since: Date.UTC(2026, 10, 21, 14, 5) }
  const everything = { events: SLACK_EVENTS }
  const failed = { state: 'failed', reason: 'command_failed', startedAt: 1, finishedAt: 2 } as const

  test.each<[string, Partial<Deployment>, string | undefined]>([
    ['what is held', { state: 'queued', hold }, 'Held'],
    ['no waiting in line', { state: 'queued' }, undefined],
    ['no beginning', { state: 'running' }, undefined],
    ['no further failure', failed, undefined],
    ['what a person took back', { state: 'cancelled', reason: 'by_person' }, 'Cancelled'],
    ['what failed and never ran', { state: 'failed', reason: 'checks_failed' }, 'Could'],
    ['the success that ends it', { state: 'succeeded', startedAt: 1 }, 'Recovered:'],
    ['what was done without running', { state: 'succeeded', task: 'deploy:lock' }, 'Locked'],
  ])('Slack hears %s', (_what, given, word) => {
    expect(said(given, everything, streak)).toBe(word)
  })

  test('every failure is told where that is wanted, with its beginning', () => {
    expect(said(failed, { ...everything, everyFailure: true }, streak)).toBe('Could')
    expect(said({ state: 'running' }, { ...everything, everyFailure: true }, streak)).toBe('Deploying')
  })

  test('who hears of failures hears of the success that ends them, and of no other', () => {
    expect(said({ state: 'succeeded', startedAt: 1 }, { events: ['failed'] }, streak)).toBe('Recovered:')
    expect(said({ state: 'succeeded' }, { events: ['failed'] })).toBeUndefined()
  })

  test('who hears of no failures hears of every beginning', () => {
    expect(said({ state: 'running' }, { events: ['started'] }, streak)).toBe('Deploying')
  })

  test('its end says how many failed, and since when', () => {
    const success = deployment({ state: 'succeeded', startedAt: 1_000, finishedAt: 13_400 })

    const [, message] = reportsFor(success, streak, context({}))

    const after = 'after 3 failures since 2026-11-21 14:05 UTC'
    expect(message).toMatchObject({
      endsStreak: true,
      body: {
        text: `Recovered: deployed acme/shop/production#12 at a84d88e, by mona, ${after}`,
        blocks: [
          { text: { text: ':white_check_mark: Recovered: deployed *acme/shop* to *production*' } },
          { elements: [{}, {}, { text: 'took 12 s' }, { text: after }] },
        ],
      },
    })
  })

  test('its first failure says that silence follows', () => {
    const first = JSON.stringify(reportsFor(deployment(failed), undefined, context({})))
    const each = JSON.stringify(reportsFor(deployment(failed), undefined, context({ everyFailure: true })))
    const neverRan = deployment({ state: 'failed', reason: 'checks_failed' })

    expect(first).toContain('further failures are told when it works again')
    expect(each).not.toContain('further failures')
    expect(JSON.stringify(reportsFor(neverRan, undefined, context({})))).not.toContain('further failures')
  })
})

describe('the status of the commit', () => {
  const of = (given: Partial<Deployment>): unknown =>
    reportsFor(deployment(given), undefined, { ...context(undefined), hasCommitStatus: () => true }).find(
      ({ channel }) => channel === 'github-commit',
    )?.body

  test.each<[Partial<Deployment>, object | undefined]>([
    [{ state: 'queued' }, { state: 'pending', description: 'Waiting in line as acme/shop/production#12' }],
    [{ state: 'running' }, { state: 'pending', context: 'ferryman/production', sha: SHA }],
    [
      { state: 'succeeded', startedAt: 1, finishedAt: 2 },
      { state: 'success', onlyOverPending: false },
    ],
    [{ state: 'failed', reason: 'command_failed' }, { state: 'failure' }],
    [{ state: 'failed', reason: 'interrupted' }, { state: 'error' }],
    [
      { state: 'cancelled', reason: 'by_person' },
      { state: 'error', onlyOverPending: false },
    ],
    [
      { state: 'cancelled', reason: 'superseded' },
      { state: 'error', onlyOverPending: true },
    ],
    [{ state: 'failed', reason: 'task_unknown' }, undefined],
    [{ state: 'succeeded', task: 'deploy:lock' }, undefined],
    [{ state: 'queued', hold, githubId: undefined }, undefined],
    [{ state: 'cancelled', reason: 'superseded', githubId: undefined }, undefined],
    [{ state: 'failed', reason: 'checks_failed', githubId: undefined }, { state: 'failure' }],
  ])('of %j is %j', (given, status) => {
    if (status === undefined) expect(of(given)).toBeUndefined()
    else expect(of(given)).toMatchObject(status)
  })
})
