import { expect, test } from 'vitest'

import type { Exchange } from '../../src/demo/github-double.ts'
import { post, shopAtGitHub } from '../support/doubles.ts'
import { createOpenApiCheck, createWebhookCheck } from '../support/openapi.ts'

const wrongExchange = createOpenApiCheck()

/** A good exchange: a status that GitHub took. */
async function exchange(): Promise<Exchange> {
  const { github } = await shopAtGitHub()
  const { deployment } = await github.createDeployment('acme/shop', { ref: 'main' })
  const heard = github.waitFor(({ path }) => path.endsWith('/statuses'))
  await post(github, `/repos/acme/shop/deployments/${deployment.id}/statuses`, { state: 'success' })
  return heard
}

const answered = (good: Exchange, change: object): Exchange => ({
  ...good,
  answer: {
    status: 201,
    headers: good.answer?.headers ?? {},
    body: { ...Object(good.answer?.body), ...change },
  },
})

test('a good exchange passes', async () => {
  expect(wrongExchange(await exchange())).toEqual([])
})

test.each([
  [
    'a state that GitHub does not have',
    { state: 'done' },
    '/state must be equal to one of the allowed values',
  ],
  ['an id that is text', { id: '1' }, '/id must be integer'],
  ['a missing field', { node_id: undefined }, " must have required property 'node_id'"],
  [
    'a description that is too long',
    { description: 'x'.repeat(141) },
    '/description must NOT have more than 140 characters',
  ],
  ['a time that is none', { created_at: 'yesterday' }, '/created_at must match format "date-time"'],
])('the check reports %s in an answer', async (_, change, complaint) => {
  const good = await exchange()
  const bad = answered(good, change)

  expect(wrongExchange(bad)).toEqual([`POST ${good.path}: answer${complaint}`])
})

test('the check reports what is wrong with a request', async () => {
  const good = await exchange()
  const place = `POST ${good.path}:`

  expect(wrongExchange({ ...good, body: { state: 'done' } })).toEqual([
    `${place} request/state must be equal to one of the allowed values`,
  ])
  expect(wrongExchange({ ...good, body: { state: 'success', log_ur: 'x' } })).toEqual([
    `${place} request/log_ur is not known to GitHub`,
  ])
  expect(wrongExchange({ ...good, query: { sort: 'asc' } })).toEqual([
    `${place} the query parameter sort is not known to GitHub`,
  ])
})

test('the check reports a status that GitHub does not give there, and an unknown address', async () => {
  const good = await exchange()

  expect(wrongExchange({ ...good, answer: { status: 418, body: {} } })).toEqual([
    `POST ${good.path}: the status 418 is not described`,
  ])
  expect(wrongExchange({ ...good, path: '/nonsense' })).toEqual([
    'GitHub has no POST /nonsense in this description',
  ])
})

test('the check of webhooks reports a field that is missing', async () => {
  const { github } = await shopAtGitHub()
  const { deployment } = await github.createDeployment('acme/shop', { ref: 'main' })
  const { sender: _, ...payload } = github.events.deployment(deployment)

  expect(createWebhookCheck()('deployment', payload)).toEqual([" must have required property 'sender'"])
  expect(createWebhookCheck()('nonsense', {})).toEqual(['GitHub has no event nonsense in this description'])
})
