import { expect, test } from 'vitest'

import { secondaryLimit } from '../../src/demo/github/answers.ts'
import { ask, post, shopAtGitHub } from '../support/doubles.ts'

const DEPLOYMENTS = '/repos/acme/shop/deployments'

test('a scripted answer is given as often as it was asked for, to the requests that are meant', async () => {
  const { github } = await shopAtGitHub()
  github.fail({
    method: 'POST',
    path: /\/deployments$/,
    times: 2,
    with: { status: 502, body: 'Bad gateway' },
  })

  const answers = [
    await ask(github, DEPLOYMENTS),
    await rawStatus(github.url, 'POST'),
    await rawStatus(github.url, 'POST'),
    await post(github, DEPLOYMENTS, { ref: 'main' }),
  ]

  expect(answers).toMatchObject([{ status: 200 }, 502, 502, { status: 201 }])
  expect(github.requests.map(({ isScripted }) => isScripted)).toEqual([false, true, true, false])
})

async function rawStatus(url: string, method: string): Promise<number> {
  const response = await fetch(`${url}${DEPLOYMENTS}`, { method })
  await response.body?.cancel()
  return response.status
}

test('a secondary limit says when to come back and nothing about what remains', async () => {
  const { github } = await shopAtGitHub()
  github.fail({ with: secondaryLimit(30) })

  const limited = await ask(github, DEPLOYMENTS)

  expect(limited.status).toBe(403)
  expect(limited.headers.get('retry-after')).toBe('30')
  expect(limited.headers.get('x-ratelimit-remaining')).toBeNull()
})

test('after a reset nothing was done', async () => {
  const { github } = await shopAtGitHub()
  github.fail({ method: 'POST', with: 'reset' })

  await expect(post(github, DEPLOYMENTS, { ref: 'main' })).rejects.toThrow('fetch failed')

  expect((await ask(github, DEPLOYMENTS)).body).toEqual([])
  expect(github.requests[0]).toMatchObject({ lost: 'reset', answer: undefined })
})

test('after a reset that came too late it was done all the same', async () => {
  const { github } = await shopAtGitHub()
  github.fail({ method: 'POST', with: 'reset-after-applying' })

  await expect(post(github, DEPLOYMENTS, { ref: 'main' })).rejects.toThrow('fetch failed')

  expect((await ask(github, DEPLOYMENTS)).body).toHaveLength(1)
})

test('a hanging request gets no answer, and does not keep the double from closing', async () => {
  const { github } = await shopAtGitHub()
  github.fail({ with: 'hang' })

  const asked = expect(ask(github, DEPLOYMENTS)).rejects.toThrow('fetch failed')
  const hanging = await github.waitFor(({ lost }) => lost === 'hang')
  await github.close()

  await asked
  expect(hanging.answer).toBeUndefined()
})

test.each([
  ['doing', 0],
  ['answer', 1],
] as const)('a request that is held before the %s goes on when it is released', async (before, done) => {
  const { github } = await shopAtGitHub()
  const gate = github.hold({ method: 'POST', before })

  const asked = post(github, DEPLOYMENTS, { ref: 'main' })
  const held = await gate.arrived()
  const meanwhile = await ask(github, DEPLOYMENTS)
  gate.release()

  expect(held).toMatchObject({ method: 'POST', body: { ref: 'main' } })
  expect(meanwhile.body).toHaveLength(done)
  expect((await asked).status).toBe(201)
})

test('after mending no fault is left, and whoever was held goes on', async () => {
  const { github } = await shopAtGitHub()
  const held = github.hold({ method: 'POST', path: /\/deployments$/ })
  github.fail({ method: 'GET', times: 5, with: { status: 500 } })
  const waiting = post(github, DEPLOYMENTS, { ref: 'main' })
  await held.arrived()

  github.mend()

  expect(await waiting).toMatchObject({ status: 201 })
  expect(await ask(github, DEPLOYMENTS)).toMatchObject({ status: 200 })
})

test('an answer for which nobody waits any more keeps nobody else waiting', async () => {
  const { github } = await shopAtGitHub()
  const gate = github.hold({ before: 'answer' })
  const client = new AbortController()
  const asked = fetch(`${github.url}${DEPLOYMENTS}`, { signal: client.signal }).catch(() => 'gone')
  await gate.arrived()
  client.abort()
  await asked
  await ask(github, DEPLOYMENTS) // by now the double has heard that the client is gone

  gate.release()

  await expect(github.idle()).resolves.toBeUndefined()
})
