import { readFileSync } from 'node:fs'
import { once } from 'node:events'
import { join } from 'node:path'

import { startBaseline, startFerryman, startGitHubSink, startPeer, type Contender } from './contenders.ts'
import { fsyncMs } from './disk.ts'
import type { Load, Seen } from './generator.ts'
import { canPin, isInstalled, median, type Place } from './place.ts'
import { ms, rate, type Findings } from './report.ts'

const SERVER_CORE = 0
const GENERATOR_CORE = 1
const CONNECTIONS = 64

interface Entry extends Contender {
  readonly expected: '200' | '202'
}

interface Result {
  readonly perSecond: number
  readonly p99: number
  readonly p50: number
}

/** Webhooks per second and their latency: recorded by Ferryman, beside servers that keep less or nothing. */
export async function measureAcknowledgement(place: Place): Promise<Findings> {
  const github = await startGitHubSink(200)
  const { results, fsync } = await compete(place, 'acknowledgement', {
    unlisted: () => startFerryman(place, { name: 'Ferryman, recorded', core: SERVER_CORE }),
    listed: () =>
      startFerryman(place, {
        name: 'Ferryman, queued',
        core: SERVER_CORE,
        command: ['sleep', '600'],
        github: github.port,
      }),
    ...(isInstalled('webhook') ? { peer: () => startPeer(place, { core: SERVER_CORE }) } : {}),
    grouped: () => startBaseline(place, 'grouped', { core: SERVER_CORE }),
    each: () => startBaseline(place, 'each', { core: SERVER_CORE }),
    bare: () => startBaseline(place, 'bare', { core: SERVER_CORE }),
  })
  github.stop()
  const { unlisted, listed, peer, each } = results
  return {
    title: `Webhooks: GitHub's deployment examples, signed, ${CONNECTIONS} connections${canPin() ? ', server and generator on a core each' : ''}`,
    ...table(results),
    fsync,
    goals: [
      {
        what: 'recorded, per second ÷ adnanh (nothing kept)',
        ratio: over(unlisted?.perSecond, peer?.perSecond),
        least: 1.5,
      },
      {
        what: 'queued, per second ÷ adnanh (nothing kept)',
        ratio: over(listed?.perSecond, peer?.perSecond),
        least: 1.1,
      },
      { what: 'one at a time, p50 ÷ one commit each', ratio: over(unlisted?.p50, each?.p50), most: 1.15 },
      { what: 'p99 under load ÷ adnanh', ratio: over(unlisted?.p99, peer?.p99), most: 0.5 },
    ],
  }
}

/** The same on a disk whose fsync takes 2 ms longer. */
export async function measureSlowDisk(place: Place): Promise<Findings> {
  const title = 'Webhooks, every fsync 2 ms longer'
  if (!isInstalled('strace'))
    return {
      title,
      head: [],
      rows: [['strace is not installed, so this is missing: apt-get install strace']],
      goals: [],
    }
  const github = await startGitHubSink(200)
  const slow = { core: SERVER_CORE, slowDisk: true }
  const { results, fsync } = await compete(place, 'slow disk', {
    unlisted: () => startFerryman(place, { name: 'Ferryman, recorded', ...slow }),
    listed: () =>
      startFerryman(place, {
        name: 'Ferryman, queued',
        ...slow,
        command: ['sleep', '600'],
        github: github.port,
      }),
    grouped: () => startBaseline(place, 'grouped', slow),
    each: () => startBaseline(place, 'each', slow),
  })
  github.stop()
  return {
    title,
    ...table(results),
    fsync,
    goals: [
      {
        what: 'recorded, per second ÷ grouped commits, fsync +2 ms',
        ratio: over(results['unlisted']?.perSecond, results['grouped']?.perSecond),
        least: 0.85,
      },
    ],
  }
}

const over = (one: number | undefined, other: number | undefined): number | undefined =>
  one === undefined || other === undefined ? undefined : one / other

type Results = Readonly<Record<string, Result & { readonly name: string }>>

const table = (results: Results) => ({
  head: ['', 'per second', 'p99', 'one at a time, p50'],
  rows: Object.values(results).map(({ name, perSecond, p99, p50 }) => [
    name,
    rate(perSecond),
    ms(p99),
    ms(p50),
  ]),
})

/** Starts all, then takes turns; who is not measured is stopped, and takes nobody's time. */
async function compete(
  place: Place,
  what: string,
  makers: Readonly<Record<string, () => Promise<Contender>>>,
) {
  const slowDisk = what === 'slow disk'
  const entries: [string, Entry][] = []
  for (const [key, make] of Object.entries(makers)) {
    const contender = await make()
    entries.push([key, { ...contender, expected: key === 'listed' ? '202' : '200' }])
    contender.program.child.kill('SIGSTOP')
  }
  const seconds = place.quick ? { many: 0.6, one: 0.3 } : { many: slowDisk ? 2 : 3, one: 1 }
  const warmUp = place.quick ? { many: 0.4, one: 0.1 } : { many: 10, one: 2 }
  const rounds = place.quick ? 1 : 3
  const fsync: number[] = []
  const seen = new Map<string, Round[]>()
  for (let round = 0; round <= rounds; round += 1) {
    fsync.push(await diskNow(place, slowDisk))
    for (const [key, entry] of entries) {
      place.say(`${what}: ${round === 0 ? 'warming up' : `round ${round} of ${rounds}`}, ${entry.name}`)
      entry.program.child.kill('SIGCONT')
      const lasting = round === 0 ? warmUp : seconds
      const many = await load(place, entry, CONNECTIONS, lasting.many)
      const one = await load(place, entry, 1, lasting.one)
      entry.program.child.kill('SIGSTOP')
      if (round > 0) seen.set(key, [...(seen.get(key) ?? []), { many, one }])
    }
  }
  const results = Object.fromEntries(
    entries.map(([key, { name }]) => [key, { name, ...resultOf(seen.get(key)) }]),
  )
  await Promise.all(entries.map(([, { program }]) => place.end(program)))
  return { results: results as Results, fsync: median(fsync) }
}

interface Round {
  readonly many: Seen
  readonly one: Seen
}

const resultOf = (rounds: readonly Round[] = []): Result => ({
  perSecond: median(rounds.map(({ many }) => many.perSecond)),
  p99: median(rounds.map(({ many }) => many.p99)),
  p50: median(rounds.map(({ one }) => one.p50)),
})

/** One round of load. Throws when the server answered anything but what it should. */
async function load(
  place: Place,
  { name, port, path, expected }: Entry,
  connections: number,
  seconds: number,
): Promise<Seen> {
  const given: Load = { port, path, connections, seconds, otherDeployments: expected === '202' }
  const program = place.start(
    'generator',
    [process.execPath, join(import.meta.dirname, 'generator.ts'), JSON.stringify(given)],
    { core: GENERATOR_CORE },
  )
  if (program.child.exitCode === null) await once(program.child, 'exit')
  await place.end(program)
  const output = readFileSync(program.log, 'utf8')
  if (program.child.exitCode !== 0) throw new Error(`The load on ${name} broke: ${output}`)
  const seen = JSON.parse(output) as Seen
  if (Object.keys(seen.statuses).some((status) => status !== expected))
    throw new Error(`${name} should answer ${expected}, and answered ${JSON.stringify(seen.statuses)}`)
  return seen
}

async function diskNow(place: Place, slowDisk: boolean): Promise<number> {
  const folder = place.folder('fsync')
  if (!slowDisk) return fsyncMs(folder)
  const program = place.start('fsync', [process.execPath, join(import.meta.dirname, 'disk.ts'), folder], {
    slowDisk,
  })
  await once(program.child, 'exit')
  return Number(readFileSync(program.log, 'utf8'))
}
