import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'

import { expect, onTestFinished, test } from 'vitest'

import { NO_HOOKS, type HealthCheck } from '../../src/deployment/recipe.ts'
import type { Stop } from '../../src/run/limits.ts'
import type { RunParts } from '../../src/run/parts.ts'
import { listen } from '../support/loopback.ts'
import { recipe } from '../support/samples.ts'
import { runFor, temporaryFolder } from '../support/running.ts'

/** An application on loopback that gives these answers, and then always the last. */
async function application(...answers: readonly (number | 'nothing')[]) {
  let asked = 0
  const first = Promise.withResolvers<void>()
  const server: Server = createServer((_request, response) => {
    const answer = answers[Math.min(asked, answers.length - 1)]
    asked += 1
    first.resolve()
    if (answer === 101) response.writeHead(answer, { connection: 'upgrade', upgrade: 'websocket' }).end()
    else if (answer !== 'nothing') response.writeHead(answer ?? 200, { location: '/elsewhere' }).end('x')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/health`, asked: () => asked, whenAsked: first.promise }
}

const check = (given: Partial<HealthCheck> & { readonly url: string }): HealthCheck => ({
  status: 200,
  tries: 5,
  intervalSeconds: 0.05,
  answerWithinSeconds: 5,
  ...given,
})

const runWith = (
  healthCheck: HealthCheck | undefined,
  { folder = temporaryFolder(), verify = [], parts = {} }: Given = {},
) =>
  runFor({
    commands: [],
    parts,
    deployment: {
      recipe: recipe({
        folder,
        commands: [['true']],
        hooks: {
          ...NO_HOOKS,
          verify: verify.map((script) => ({ command: ['sh', '-c', script] })),
          afterFailure: [{ command: ['sh', '-c', 'echo "$FERRYMAN_REASON" > told'] }],
        },
        ...(healthCheck === undefined ? {} : { healthCheck }),
      }),
    },
  })

interface Given {
  readonly folder?: string
  readonly verify?: readonly string[]
  readonly parts?: Partial<RunParts>
}

test('an application that needs a moment is asked until it answers as it should', async () => {
  const { url, asked } = await application(502, 503, 200)

  const { result, log } = await runWith(check({ url }))

  expect(result.state).toBe('succeeded')
  expect(asked()).toBe(3)
  expect(log).toContain(`${url} answers 502\n`)
  expect(log).toContain(`${url} answers 200, asked 3 times\n`)
  expect(result.steps.at(-1)).toMatchObject({ name: `ask ${url} for 200`, hook: 'verify', action: 'done' })
})

test.each([
  { answers: [500], given: {}, said: /answers 500, asked 5 times$/ },
  { answers: [302], given: { tries: 1 }, said: /answers 302, asked once$/ },
  { answers: [101], given: { tries: 1 }, said: /answers 101, asked once$/ },
  {
    answers: ['nothing'] as const,
    given: { tries: 2, answerWithinSeconds: 0.1005 }, // no whole number of milliseconds
    said: /does not answer: nothing came within 0\.1005 s, asked 2 times$/,
  },
])(
  'one that does not is a failure of its own, which hooks hear of: $said',
  async ({ answers, given, said }) => {
    const folder = temporaryFolder()
    const { url } = await application(...answers)

    const { result } = await runWith(check({ url, ...given }), { folder })

    expect(result).toMatchObject({ state: 'failed', reason: 'verification_failed' })
    expect(result.state === 'failed' && result.detail).toMatch(said)
    expect(readFileSync(join(folder, 'told'), 'utf8')).toBe('verification_failed\n')
  },
)

test('who asks is said as the address has it, also with a bare %', async () => {
  const seen: unknown[] = []
  const server = createServer(({ headers }, response) => {
    seen.push(headers.authorization)
    response.end()
  })
  const port = await listen(server)

  const { result } = await runWith(check({ url: `http://mona:100%@127.0.0.1:${port}/` }))

  expect(result.state).toBe('succeeded')
  expect(seen).toEqual([`Basic ${Buffer.from('mona:100%').toString('base64')}`])
})

test('nobody who listens there is said as it is', async () => {
  const { result } = await runWith(check({ url: 'http://127.0.0.1:1/', tries: 1 }))

  expect(result.state === 'failed' && result.detail).toMatch(/does not answer: .*ECONNREFUSED/)
})

test('a verify hook that fails is a failure of the deployment, and nothing after it runs', async () => {
  const folder = temporaryFolder()
  const { url, asked } = await application(200)

  const { result } = await runWith(check({ url }), { folder, verify: ['echo broken; exit 1', 'touch never'] })

  expect(result).toMatchObject({ state: 'failed', reason: 'verification_failed', lastLines: ['broken'] })
  expect(asked()).toBe(0)
  expect(existsSync(join(folder, 'never'))).toBe(false)
})

test('who waits for an answer can be cancelled', async () => {
  const { url, whenAsked } = await application(500)
  const ending = new AbortController()
  const stop: Stop = { kind: 'by_person', detail: 'Cancelled by mona.' }
  const running = runWith(check({ url, tries: 1000, intervalSeconds: 60 }), {
    verify: ['true'],
    parts: { signal: ending.signal },
  })

  await whenAsked
  ending.abort(stop)

  expect((await running).result).toMatchObject({ state: 'cancelled', reason: 'by_person' })
})
