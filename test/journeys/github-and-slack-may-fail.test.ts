import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'

import { expect, onTestFinished, test } from 'vitest'

import { createWorld, SECRET, serve, startProcess, TOKEN } from '../support/journey.ts'
import { eventually } from '../support/running.ts'

const STATUSES = /\/statuses$/

test('a dead Slack never changes a result', async () => {
  const world = await serve()
  world.slack.fail({ times: 100, with: 'reset' })

  const deployment = await world.deploy()
  await world.status(deployment, 'success')

  expect(world.statuses(deployment)).toHaveLength(3)
})

test('what Slack refuses for good is not sent again', async () => {
  const world = await serve()
  world.slack.fail({ times: 2, with: { status: 404, body: 'no_service' } })

  await world.status(await world.deploy(), 'success')
  await world.slack.waitForRequest(({ answer }) => answer === 'no_service')
  await world.stop()

  expect(world.slack.requests.filter(({ answer }) => answer === 'no_service')).toHaveLength(2)
  expect(world.journal.join('')).toContain('Slack answered 404: no_service')
})

test('a GitHub that answers 502 with a page is asked again until it takes the final status', async () => {
  const world = await serve()
  world.github.fail({
    method: 'POST',
    path: STATUSES,
    times: 2,
    with: { status: 502, body: '<html>Bad gateway</html>' },
  })

  const deployment = await world.deploy()
  await world.status(deployment, 'success')

  expect(world.statuses(deployment).at(-1)).toMatch(/^success: /)
})

test('a status whose answer was lost is not written twice', async () => {
  const world = await serve()
  world.github.fail({ method: 'POST', path: STATUSES, times: 1, with: 'reset-after-applying' })

  const deployment = await world.deploy()
  await world.status(deployment, 'success')
  await world.stop()

  const states = world.statuses(deployment).map((one) => one.split(':')[0])
  expect(states.filter((state, index) => states.indexOf(state) !== index)).toEqual([])
  expect(states.at(-1)).toBe('success')
})

test('statuses that GitHub refuses end for good, and the next deployment is not held up', async () => {
  const world = await serve()
  world.github.fail({
    method: 'POST',
    path: STATUSES,
    times: 1,
    with: { status: 422, body: { message: 'Validation Failed', errors: [] } },
  })

  const first = await world.deploy()
  await world.status(first, 'success')

  expect(world.statuses(first).map((one) => one.split(':')[0])).toEqual(['in_progress', 'success'])
})

test('a limit with Retry-After is waited out', async () => {
  const world = await serve()
  world.github.fail({
    method: 'POST',
    path: STATUSES,
    times: 1,
    with: {
      status: 403,
      headers: { 'retry-after': '1' },
      body: { message: 'You have exceeded a secondary rate limit.' },
    },
  })

  const deployment = await world.deploy()
  const before = Date.now()
  await world.status(deployment, 'success')

  expect(Date.now() - before).toBeGreaterThanOrEqual(500)
  expect(world.github.requests.filter(({ answer }) => answer?.status === 403)).toHaveLength(1)
})

test('what is owed is sent after a restart', async () => {
  const world = await serve()
  world.github.fail({ method: 'POST', path: STATUSES, times: 100, with: 'reset' })
  const deployment = await world.deploy()
  await eventually('the deployment has ended', () =>
    world.journal.some((line) => line.includes('deployment:ended')),
  )

  await world.stop()
  expect(world.statuses(deployment)).toEqual([])
  await drain(world)
  await world.restart()
  await world.status(deployment, 'success')
})

test('a right that was given is used as soon as the server gets a SIGHUP', async () => {
  const world = await createWorld({ slack: false })
  const message = 'Resource not accessible by personal access token'
  world.github.fail({
    method: 'POST',
    path: STATUSES,
    times: 1_000,
    with: { status: 403, body: { message } },
  })
  const server = await startProcess(world)
  const deployment = await world.deploy()
  await server.waitForLine((line) => line.includes('"deployment:ended"'))
  await server.waitForLine((line) => line.includes('"report:postponed"'))

  world.github.mend()
  process.kill(server.pid, 'SIGHUP')
  await world.status(deployment, 'success')
})

test('a SIGHUP that comes before the start is over counts all the same', async () => {
  const world = await createWorld({ slack: false })
  const github = { webhook_secret: [SECRET, 'a-short-one'], token: TOKEN, api_url: world.github.url }
  world.writeConfig({ slack: false, config: { github } }) // which is said before anything is begun
  let rounds = 0
  world.github.onExchange(({ method, path }) => {
    if (method === 'GET' && path.endsWith('/deployments')) rounds += 1
  })

  const child = spawn(resolve('bin/ferryman'), ['serve', '-c', world.configFile], {
    env: { PATH: process.env['PATH'], HOME: world.directory },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const lines = createInterface(child.stdout)
  lines.on('line', (line) => line.includes('"config:doubtful"') && child.kill('SIGHUP'))

  await eventually('GitHub was asked anew for what was missed', () => rounds === 2)
})

test('a new token in a file of its own is used as soon as the server gets a SIGHUP', async () => {
  const world = await createWorld({ slack: false })
  const file = join(world.directory, 'token')
  const github = { webhook_secret: SECRET, token: { file }, api_url: world.github.url }
  writeFileSync(file, TOKEN, { mode: 0o600 })
  world.writeConfig({ slack: false, config: { github } })
  const server = await startProcess(world)
  world.github.revokeToken(TOKEN)
  const deployment = await world.deploy()
  await server.waitForLine((line) => line.includes('"deployment:ended"'))
  await server.waitForLine((line) => line.includes('GitHub answered 401: Bad credentials'))

  const renewed = `ghp_${'fedcba9876543210'.repeat(2)}test`
  world.github.addToken(renewed, { login: 'ferryman-robot', type: 'classic', scopes: ['repo_deployment'] })
  writeFileSync(file, renewed)
  process.kill(server.pid, 'SIGHUP')
  await world.status(deployment, 'success')
})

test('what hangs when the server stops ends before it, and is said by the next one, once', async () => {
  const world = await createWorld()
  world.github.fail({ method: 'POST', path: STATUSES, with: 'hang' })
  world.slack.fail({ with: 'hang' })
  const first = await startProcess(world)
  const deployment = await world.deploy()
  await first.waitForLine((line) => line.includes('"deployment:ended"'))
  await world.github.waitFor(({ lost }) => lost === 'hang')
  await world.slack.waitForRequest(({ answer }) => answer === undefined)

  expect(await first.end('SIGTERM')).toBe(0)
  expect(first.lines.at(-1)).toContain('"server:stopped"')

  await startProcess(world)
  await world.status(deployment, 'success')
  await world.slack.waitFor(({ text }) => text?.startsWith('Deployed') === true)
  const states = world.statuses(deployment).map((one) => one.split(':')[0])
  expect(states).toEqual(['queued', 'in_progress', 'success'])
})

/** Uses up what is left of the scripted faults. */
async function drain({ github, sha }: { github: { url: string }; sha: string }): Promise<void> {
  for (let count = 0; count < 100; count += 1)
    await fetch(`${github.url}/repos/acme/shop/deployments/1/statuses`, { method: 'POST', body: sha }).then(
      (response) => response.status,
      () => 0,
    )
}
