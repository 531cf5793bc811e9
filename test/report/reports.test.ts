import { expect, test } from 'vitest'

import { SLACK_EVENTS, type SlackEvent } from '../../src/config/schema.ts'
import type { Deployment } from '../../src/deployment/deployment.ts'
import { forcedReportsFor, reportsFor, type ReportContext } from '../../src/report/reports.ts'
import { deployment } from '../support/samples.ts'

const context = (events: readonly SlackEvent[] | undefined): ReportContext => ({
  logUrl: () => undefined,
  mask: (text) => text.replaceAll('hunter2', '***'),
  slack: () => events && { webhookUrl: 'https://hooks.example.org/shop', events },
  githubUrl: 'https://github.com',
})

const said = (given: Partial<Deployment>, events: readonly SlackEvent[] | undefined): string | undefined => {
  const report = reportsFor(deployment(given), context(events)).find(({ channel }) => channel === 'slack')
  return report && (report.body as { readonly text: string }).text.split(' ')[0]
}

const hold = { reason: 'checks_pending', detail: 'Waiting for ci/test', since: 0, until: undefined } as const

test.each<[Partial<Deployment>, SlackEvent | undefined, string | undefined]>([
  [{ state: 'queued', hold: { ...hold, reason: 'deciding' } }, undefined, undefined],
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

  expect(said(given, event === undefined ? SLACK_EVENTS : [event])).toBe(word)
  expect(said(given, others)).toBeUndefined()
  expect(said(given, undefined)).toBeUndefined()
})

test('that somebody has forced something is told wherever there is a Slack, without secrets', () => {
  const forced = { by: 'ann', why: 'the password is hunter2' }
  const held = deployment({ state: 'queued', hold, forced })

  const [status, message] = forcedReportsFor(held, context([]))

  expect(status?.body).toMatchObject({
    description: 'Held as acme/shop/production#12: Waiting for ci/test; forced by ann: the password is ***',
  })
  expect(message?.body).toMatchObject({
    text: 'Forced acme/shop/production#12 at a84d88e, by mona: Waiting for ci/test (forced by ann: the password is ***)',
  })
  expect(forcedReportsFor(held, context(undefined))).toHaveLength(1)
  expect(forcedReportsFor({ ...held, state: 'cancelled', reason: 'superseded' }, context([]))).toHaveLength(1)
})

test('what is held says why, without secrets', () => {
  const held = deployment({ state: 'queued', hold: { ...hold, detail: 'Locked by mona: hunter2' } })

  const [, message] = reportsFor(held, context(['held']))

  expect(message?.body).toMatchObject({
    text: 'Held acme/shop/production#12 at a84d88e, by mona: Locked by mona: ***',
    blocks: [{ text: { text: ':hourglass: Held *acme/shop* to *production*\nLocked by mona: ***' } }, {}],
  })
})
