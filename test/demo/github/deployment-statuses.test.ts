import fc from 'fast-check'
import { expect, test } from 'vitest'

import { ask, post, shopAtGitHub } from '../../support/doubles.ts'

const DEPLOYMENTS = '/repos/acme/shop/deployments'

async function deployed(body: object = {}) {
  const shop = await shopAtGitHub()
  const { deployment } = await shop.github.createDeployment('acme/shop', { ref: 'main', ...body })
  return { ...shop, deployment, statuses: `${DEPLOYMENTS}/${deployment.id}/statuses` }
}

test('a status is kept, and what was left out is empty', async () => {
  const { github, deployment, statuses } = await deployed()

  const made = await post(github, statuses, { state: 'in_progress' })

  expect(made.status).toBe(201)
  expect(made.body).toMatchObject({
    state: 'in_progress',
    description: '',
    log_url: '',
    target_url: '',
    environment_url: '',
    environment: 'production',
  })
  expect(github.statusesOf(deployment.id).map(({ state }) => state)).toEqual(['in_progress'])
})

test('log_url is target_url too, and target_url is log_url where that is missing', async () => {
  const { github, statuses } = await deployed()

  const both = await post(github, statuses, { state: 'queued', log_url: 'https://a.example.org' })
  const old = await post(github, statuses, { state: 'queued', target_url: 'https://b.example.org' })

  expect(both.body).toMatchObject({ log_url: 'https://a.example.org', target_url: 'https://a.example.org' })
  expect(old.body).toMatchObject({ log_url: 'https://b.example.org', target_url: 'https://b.example.org' })
})

test('a description of 141 characters is refused in the words of GitHub', async () => {
  const { github, deployment, statuses } = await deployed()

  const refused = await post(github, statuses, { state: 'success', description: 'x'.repeat(141) })

  expect(refused.status).toBe(422)
  expect(refused.body).toMatchObject({
    message: 'Validation Failed',
    errors: [
      {
        resource: 'DeploymentStatus',
        code: 'custom',
        field: 'description',
        message: 'description is too long (maximum is 140 characters)',
      },
    ],
  })
  expect(github.statusesOf(deployment.id)).toEqual([])
})

test('the limit of a description counts code points', async () => {
  const { github, statuses } = await deployed()

  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'grapheme', minLength: 120, maxLength: 160 }), async (description) => {
      const { status } = await post(github, statuses, { state: 'pending', description })
      expect(status).toBe(Array.from(description).length <= 140 ? 201 : 422)
    }),
    { numRuns: 40, examples: [['🚢'.repeat(140)], ['🚢'.repeat(141)]] },
  )
})

test.each([
  ['an unknown state', { state: 'done' }],
  ['no state', {}],
  ['a link that is no web address', { state: 'success', log_url: 'javascript:alert(1)' }],
  ['a description that is no text', { state: 'success', description: 1 }],
])('%s is refused', async (_, body) => {
  const { github, deployment, statuses } = await deployed()

  expect((await post(github, statuses, body)).status).toBe(422)
  expect(github.statusesOf(deployment.id)).toEqual([])
})

test('statuses are listed newest first, and one can be asked for', async () => {
  const { github, statuses } = await deployed()
  for (const state of ['queued', 'in_progress', 'success']) await post(github, statuses, { state })

  const listed = (await ask(github, statuses)).body as { id: number; state: string }[]
  const one = await ask(github, `${statuses}/${listed[1]?.id}`)

  expect(listed.map(({ state }) => state)).toEqual(['success', 'in_progress', 'queued'])
  expect(one.body).toEqual(listed[1])
  expect((await ask(github, `${statuses}/1`)).status).toBe(404)
})

test('a status can move the deployment to another environment, and the next ones stay there', async () => {
  const { github, deployment, statuses } = await deployed({ environment: 'staging' })

  await post(github, statuses, { state: 'queued', environment: 'staging-2' })
  const next = await post(github, statuses, { state: 'success' })

  expect(next.body).toMatchObject({ environment: 'staging-2' })
  expect((await ask(github, `${DEPLOYMENTS}/${deployment.id}`)).body).toMatchObject({
    environment: 'staging-2',
    original_environment: 'staging',
  })
})

test.each([
  ['staging', {}, ['success', 'inactive']],
  ['staging', { auto_inactive: false }, ['success']],
  ['production', {}, ['success']],
])('a success in %s with %j leaves the earlier one as %j', async (environment, extra, expected) => {
  const { github, deployment, statuses } = await deployed({ environment })
  const { deployment: second } = await github.createDeployment('acme/shop', { ref: 'main', environment })
  await post(github, statuses, { state: 'success' })

  await post(github, `${DEPLOYMENTS}/${second.id}/statuses`, { state: 'success', ...extra })

  expect(github.statusesOf(deployment.id).map(({ state }) => state)).toEqual(expected)
})
