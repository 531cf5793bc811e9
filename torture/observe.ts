import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Observation } from './invariants.ts'
import { linesOf } from './journal.ts'
import { livingIn } from './living.ts'
import { messageIn, readRecords } from './records.ts'
import type { World } from './world.ts'

/** What was seen on the way. */
type Given = Pick<Observation, 'probes' | 'repeats' | 'survivors' | 'refused' | 'unfetched'>

/** Looks at a world whose server has ended by itself: everything that can be seen from the outside. */
export function observe(world: World, given: Given): Observation {
  const { github, slack, dataDirectory, journalFile } = world
  const leftovers = leftoversIn(dataDirectory) // first: reading the database makes files of its own
  return {
    sent: github.deliveries.map(({ guid, answer }) => ({ guid, status: answer.status })),
    records: readRecords(join(dataDirectory, 'ferryman.sqlite')),
    github: deploymentsAt(world),
    messages: slack.requests.map(({ body, at }) => ({ body: messageIn(body), at })),
    deliveredAt: deliveredIn(readFileSync(join(world.directory, 'server.log'), 'utf8')),
    journal: linesOf(existsSync(journalFile) ? readFileSync(journalFile, 'utf8') : ''),
    wishes: world.wishes,
    living: livingIn(world),
    leftovers,
    ...given,
  }
}

/** Every deployment that GitHub holds, with the statuses that Ferryman gave it. */
export function deploymentsAt({ repositories }: World): Observation['github'] {
  const deployments = repositories.flatMap(({ deployments }) => deployments)
  return deployments.map(({ id, payload, statuses }) => ({
    id,
    nonce: nonceIn(payload),
    statuses: statuses
      .filter(({ state, description }) => state !== 'inactive' || description !== '') // those GitHub wrote itself
      .map(({ state, description }) => ({ state, description })),
  }))
}

function nonceIn(payload: unknown): string | undefined {
  const nonce: unknown = Reflect.get(Object(payload), 'ferryman')
  return typeof nonce === 'string' ? nonce : undefined
}

/** When the server says that it delivered a report, by the report. */
function deliveredIn(log: string): Map<number, number> {
  const lines = log.matchAll(
    /^\{"time":"([^"]+)","level":"info","event":"report:delivered","report":(\d+),/gm,
  )
  return new Map([...lines].map(([, time = '', report]) => [Number(report), Date.parse(time)]))
}

/** What a server that has ended leaves in its data directory, and should not. */
function leftoversIn(dataDirectory: string): string[] {
  if (!existsSync(dataDirectory)) return []
  return readdirSync(dataDirectory, { recursive: true, encoding: 'utf8' }).filter(
    (path) => !EXPECTED.test(path),
  )
}

// The two empty files by which a disk is known that may be written: see store/directory.ts.
const EXPECTED =
  /^(?:ferryman\.sqlite|server\.lock|runs|(?:logs\/)?\.writable|logs(?:\/\d+(?:\/\d{16}(?:-rest)?\.log)?)?)$/
