import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import { expect, test } from 'vitest'

import { createWorld, SECRET, startProcess, type World } from '../support/journey.ts'
import { deploymentEvent, PUSH_ELSEWHERE, signedDelivery } from '../support/payloads.ts'
import { MOST_MEGABYTES, mostMemoryOf, sendAll, sendAndGo, type Answered } from '../support/pressure.ts'
import { eventually } from '../support/running.ts'

const MEGABYTE = 1_048_576
const WAITS_FOR_GO = ['sh', '-c', 'echo "$FERRYMAN_NUMBER" >> started; until test -e go; do sleep 0.02; done']

/** How many of each answer there are. */
function tally(answers: readonly Answered[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { status, word } of answers) counts[`${status} ${word}`] = (counts[`${status} ${word}`] ?? 0) + 1
  return counts
}

/** One number from the database of a server that has ended. */
function count(world: World, what: string): number {
  const file = new DatabaseSync(join(world.directory, 'data/ferryman.sqlite'), { readOnly: true })
  const { number } = file.prepare(`select count(*) as number from ${what}`).get() as { number: number }
  file.close()
  return number
}

test(
  'ten thousand deliveries at once are answered and recorded; a thousand of them wait, and run in their order',
  { timeout: 60_000 },
  async () => {
    const world = await createWorld({ commands: [WAITS_FOR_GO] })
    const server = await startProcess(world)
    const deliveries = Array.from({ length: 10_000 }, (_, index) =>
      index % 10 === 0
        ? signedDelivery('deployment', deploymentEvent({ sha: world.sha }), SECRET)
        : signedDelivery('push', world.github.events.push('acme/shop', PUSH_ELSEWHERE), SECRET),
    )

    expect(tally(await sendAll(server.address, deliveries, 100))).toEqual({
      '202 queued': 1_000,
      '200 ignored': 9_000,
    })
    expect((await fetch(`${server.address}/readyz`)).status).toBe(200)
    writeFileSync(join(world.folder, 'go'), '')
    await eventually('some have run', () => started(world).length >= 10)
    expect(mostMemoryOf(server.pid)).toBeLessThan(MOST_MEGABYTES)
    await server.end('SIGTERM')

    expect(started(world)).toEqual(started(world).map((_, index) => String(index + 1)))
    expect(count(world, 'deliveries')).toBe(10_000)
    expect(count(world, 'deployments')).toBe(1_000)
  },
)

const started = ({ folder }: World): readonly string[] =>
  readFileSync(join(folder, 'started'), 'utf8').trimEnd().split('\n')

test('of many of the largest deliveries at once some are taken, the others may come again, and memory is bounded', async () => {
  const world = await createWorld()
  const server = await startProcess(world)
  const push = JSON.stringify({
    ...Object(world.github.events.push('acme/shop', PUSH_ELSEWHERE)),
    commits: Array.from({ length: 70_000 }, (_, index) => ({
      id: `${index}`.padStart(40, 'a'),
      message: 'x'.repeat(300),
    })),
  })
  const payload = 'y'.repeat(25 * MEGABYTE - 2_000)
  const deliveries = Array.from({ length: 8 }, (_, index) =>
    index % 4 === 0
      ? signedDelivery('deployment', deploymentEvent({ sha: world.sha, payload }), SECRET)
      : signedDelivery('push', push, SECRET),
  )
  expect(push.length).toBeGreaterThan(24 * MEGABYTE)
  expect(push.length).toBeLessThan(25 * MEGABYTE)

  const first = await sendAll(server.address, deliveries, deliveries.length)
  expect((await fetch(`${server.address}/readyz`)).status).toBe(200)
  const left = deliveries.filter((_, index) => first[index]?.status === 503 || first[index]?.status === 0)
  const second = await sendAll(server.address, left, 1)

  expect(tally(first)['503 too_busy']).toBeGreaterThan(0)
  expect(left.length).toBeLessThan(deliveries.length)
  const understood = [...first.filter(({ status }) => status === 200 || status === 400), ...second]
  expect(tally(understood)).toEqual({ '200 ignored': 6, '400 body_wrong_shape': 2 })
  expect(mostMemoryOf(server.pid)).toBeLessThan(MOST_MEGABYTES)
  await server.end('SIGTERM')
  expect(count(world, 'deliveries')).toBe(deliveries.length)
})

test('the largest deliveries whose senders have gone take no memory, though the database is locked', async () => {
  const world = await createWorld()
  const server = await startProcess(world)
  const other = new DatabaseSync(join(world.directory, 'data/ferryman.sqlite'), { timeout: 5_000 })
  const push = JSON.stringify({
    ...Object(world.github.events.push('acme/shop', PUSH_ELSEWHERE)),
    more: 'x'.repeat(24 * MEGABYTE),
  })

  other.exec('begin immediate')
  for (let count = 0; count < 14; count += 1)
    await sendAndGo(server.address, signedDelivery('push', push, SECRET))
  other.exec('rollback')
  other.close()
  const [answer] = await sendAll(server.address, [signedDelivery('push', push, SECRET)], 1)

  expect(answer).toEqual({ status: 200, word: 'ignored' })
  expect(mostMemoryOf(server.pid)).toBeLessThan(MOST_MEGABYTES)
  await server.end('SIGTERM')
})
