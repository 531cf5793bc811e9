import { watch, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import { startFerryman, startGitHubSink, startPeer, type Contender } from './contenders.ts'
import { createDeliveries } from './deliveries.ts'
import { fsyncMs } from './disk.ts'
import { isInstalled, median, type Place } from './place.ts'
import { ms, type Findings } from './report.ts'

/** Memory that does nothing but make the process larger, and with it every fork. */
const BALLAST = { NODE_OPTIONS: '--import=data:text/javascript,globalThis.ballast=Buffer.alloc(3e8,1)' }

interface Entry extends Contender {
  /** What the command touches. */
  readonly folder: string
  readonly took: number[]
  /** Resolves when the deployment is over, so that the next one finds its lane free. */
  readonly over: () => Promise<unknown>
}

/** From the first byte of a webhook to what its command does first: `touch`, seen by who watches the file. */
export async function measureFirstInstruction(place: Place): Promise<Findings> {
  const github = await startGitHubSink(0)
  const over = () => github.next('success')
  const ferryman = (name: string, env = {}) =>
    entry(place, (command) => startFerryman(place, { name, command, github: github.port, env }), over)
  const small = await ferryman('Ferryman, delivery and claim durable')
  const large = await ferryman('Ferryman, 300 MB larger', BALLAST)
  const peer = isInstalled('webhook')
    ? await entry(
        place,
        (command) => startPeer(place, { command }),
        () => pause(20),
      )
    : undefined
  const entries = [small, large, ...(peer === undefined ? [] : [peer])]
  const next = createDeliveries({ otherDeployments: true })
  const times = place.quick ? 30 : 100
  const warmUps = 10

  for (let count = -warmUps; count < times; count += 1) {
    if (count % 10 === 0) place.say(`first instruction: ${Math.max(0, count)} of ${times}`)
    for (const one of entries) {
      const took = await untilTouched(one, next())
      if (count >= 0) one.took.push(took)
    }
  }
  const fsync = fsyncMs(place.folder('fsync'))
  await Promise.all(entries.map(({ program }) => place.end(program)))
  github.stop()
  const ratio = (one: Entry, other: Entry | undefined) =>
    other === undefined ? undefined : median(one.took) / median(other.took)
  return {
    title: `From the webhook to the first instruction of the command, ${times} times`,
    head: ['', 'median', 'p90'],
    rows: entries.map(({ name, took }) => [name, ms(median(took)), ms(median(took, 90))]),
    fsync,
    goals: [
      { what: 'webhook → first instruction ÷ adnanh', ratio: ratio(small, peer), most: 1.8 },
      { what: 'webhook → first instruction, 300 MB larger ÷ small', ratio: ratio(large, small), most: 1.1 },
    ],
  }
}

async function entry(
  place: Place,
  start: (command: readonly string[]) => Promise<Contender>,
  over: Entry['over'],
): Promise<Entry> {
  const folder = place.folder('touched')
  const file = join(folder, 'file')
  writeFileSync(file, '')
  return { ...(await start(['/usr/bin/touch', file])), folder, took: [], over }
}

async function untilTouched(
  { name, port, path, folder, over }: Entry,
  { body, headers }: { body: string; headers: Record<string, string> },
): Promise<number> {
  const watcher = watch(folder)
  const touched = once(watcher, 'change', { signal: AbortSignal.timeout(10_000) })
  const isOver = over()
  const from = performance.now()
  const answer = fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', body, headers })
  await touched.catch((cause: unknown) => {
    throw new Error(`${name} ran nothing within 10 s`, { cause })
  })
  const took = performance.now() - from
  watcher.close()
  const { status } = await answer.then(async (response) => (await response.arrayBuffer(), response))
  if (status >= 300) throw new Error(`${name} answered ${status}`)
  await isOver
  return took
}
