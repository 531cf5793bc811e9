import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Observation, JournalLine, Living } from './invariants.ts'
import { readRecords } from './records.ts'
import type { World } from './world.ts'

/** Looks at a world whose server has ended by itself: everything that can be seen from the outside. */
export function observe(world: World, probes: readonly number[]): Observation {
  const { github, dataDirectory, journalFile, marker } = world
  const leftovers = leftoversIn(dataDirectory) // first: reading the database makes files of its own
  return {
    sent: github.deliveries.map(({ guid, event, answer }) => ({ guid, event, status: answer.status })),
    records: readRecords(join(dataDirectory, 'ferryman.sqlite')),
    github: deploymentsAt(world),
    probes,
    journal: journalOf(existsSync(journalFile) ? readFileSync(journalFile, 'utf8') : ''),
    living: livingWith(marker, dataDirectory),
    leftovers,
  }
}

/** Every deployment that GitHub holds, with the statuses that Ferryman gave it. */
export function deploymentsAt({ repositories }: World): Observation['github'] {
  const deployments = repositories.flatMap(({ deployments }) => deployments)
  return deployments.map(({ id, statuses }) => ({
    id,
    statuses: statuses
      .filter(({ state, description }) => state !== 'inactive' || description !== '') // those GitHub wrote itself
      .map(({ state, description }) => ({ state, description })),
  }))
}

function journalOf(text: string): JournalLine[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [what = '', deployment = '', step = '', rest = ''] = line.split(' ')
      return { what, deployment: Number(deployment), step: Number(step), rest }
    })
}

/** Processes that carry the marker in their environment, or the data directory in their words: commands and launchers. */
function livingWith(marker: string, dataDirectory: string): Living[] {
  const read = (pid: string, name: string): string => {
    try {
      return readFileSync(`/proc/${pid}/${name}`, 'latin1')
    } catch {
      return '' // gone, or a zombie
    }
  }
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map((pid) => ({ pid, words: read(pid, 'cmdline').replaceAll('\0', ' ').trim() }))
    .filter(
      ({ pid, words }) =>
        words.includes(dataDirectory) || read(pid, 'environ').includes(`TORTURE=${marker}\0`),
    )
    .map(({ pid, words }) => ({ pid: Number(pid), command: words.slice(0, 120) }))
}

/** What a server that has ended leaves in its data directory, and should not. */
function leftoversIn(dataDirectory: string): string[] {
  if (!existsSync(dataDirectory)) return []
  return readdirSync(dataDirectory, { recursive: true, encoding: 'utf8' }).filter(
    (path) => !EXPECTED.test(path),
  )
}

const EXPECTED = /^(?:ferryman\.sqlite|server\.lock|runs|logs(?:\/\d+(?:\/\d{16}\.log)?)?)$/
