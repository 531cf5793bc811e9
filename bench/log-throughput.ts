import {
  closeSync,
  fstatSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import { startFerryman, startGitHubSink } from './contenders.ts'
import { createDeliveries } from './deliveries.ts'
import { median, memory, type Place } from './place.ts'
import { megabytes, rate, type Findings } from './report.ts'

/** How fast output becomes a log with a time stamp on each line and secrets masked, and what memory that takes. */
export async function measureLogThroughput(place: Place): Promise<Findings> {
  const folder = place.folder('output')
  const size = place.quick ? 200 : 1000
  const lines = writeLines(join(folder, 'lines'), size)
  const oneLine = writeOneLine(join(folder, 'one-line'), 200)
  const rounds = place.quick ? 1 : 3
  const plain: number[] = []
  const logged: Logged[] = []
  for (let round = 1; round <= rounds; round += 1) {
    place.say(`log: ${size} MB, round ${round} of ${rounds}`)
    plain.push(size / (await catSeconds(place, lines, join(folder, 'copy'))))
    logged.push(await logOf(place, lines))
  }
  place.say('log: one line of 200 MB')
  const line = await logOf(place, oneLine)
  const perSecond = logged.map(({ seconds }) => size / seconds)
  const grown = ({ before, peak }: Logged) => peak - before
  const row = (name: string, speed: number, one: Logged) => [
    name,
    `${rate(speed)} MB/s`,
    megabytes(one.before),
    megabytes(one.after),
    megabytes(one.peak),
  ]
  const [first = line] = logged
  return {
    title: `Output of a command: ${size} MB in lines of 80 bytes`,
    head: ['', 'speed', 'memory before', 'after', 'at most'],
    rows: [
      ['cat | cat > file', `${rate(median(plain))} MB/s`, '', '', ''],
      row('Ferryman, stamped and masked', median(perSecond), first),
      row('Ferryman, one line of 200 MB', 200 / line.seconds, line),
    ],
    goals: [
      { what: 'log with time stamps ÷ cat > file', ratio: median(perSecond) / median(plain), least: 0.4 },
      {
        what: 'memory at most above idle, many lines',
        ratio: median(logged.map(grown)),
        most: 30,
        unit: 'MB',
      },
      { what: 'memory at most above idle, one long line', ratio: grown(line), most: 30, unit: 'MB' },
    ],
  }
}

function writeLines(path: string, megabyteCount: number): string {
  const block = Array.from({ length: 12_500 }, (_, index) =>
    `${String(index).padStart(6)} compiled src/part-${index % 977}.ts and what depends on it`.padEnd(79, '.'),
  )
  return write(path, Buffer.from(`${block.join('\n')}\n`), megabyteCount)
}

const writeOneLine = (path: string, megabyteCount: number): string =>
  write(path, Buffer.alloc(1e6, 'x'), megabyteCount)

function write(path: string, megabyte: Buffer, times: number): string {
  const file = openSync(path, 'w')
  for (let count = 0; count < times; count += 1) writeSync(file, megabyte)
  closeSync(file)
  return path
}

async function catSeconds(place: Place, from: string, to: string): Promise<number> {
  const startedAt = performance.now()
  const program = place.start('cat', ['sh', '-c', 'cat "$1" | cat > "$2"', 'sh', from, to])
  await once(program.child, 'exit')
  const seconds = (performance.now() - startedAt) / 1000
  await place.end(program)
  rmSync(to)
  return seconds
}

interface Logged {
  readonly seconds: number
  readonly before: number
  readonly after: number
  readonly peak: number
}

/** A fresh server whose deployment writes the file to its output. */
async function logOf(place: Place, file: string): Promise<Logged> {
  const github = await startGitHubSink(0)
  const folder = place.folder('ferryman-log')
  const { program, port, path } = await startFerryman(place, {
    folder,
    command: ['cat', file],
    github: github.port,
  })
  await pause(1000) // the start is over
  const before = memory(program.pid, 'VmRSS')
  writeFileSync(`/proc/${program.pid}/clear_refs`, '5') // forgets the peak
  const succeeded = github.next('success')
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: 'POST',
    ...createDeliveries({ otherDeployments: true })(),
  })
  await answer.arrayBuffer()
  await succeeded
  const after = memory(program.pid, 'VmRSS')
  const peak = memory(program.pid, 'VmHWM')
  await place.end(program)
  github.stop()
  const seconds = secondsIn(join(folder, 'data/logs'))
  rmSync(folder, { recursive: true, force: true })
  return { seconds, before, after, peak }
}

/** From the line that names the command to the line that says how it ended: the disk's last sync comes after both. */
function secondsIn(logs: string): number {
  const files = readdirSync(logs, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.log'))
    .toSorted()
  const [first = '', last = first] = [files[0], files.at(-1)]
  const began = /^(\S+Z)▸ \$ cat/m.exec(piece(join(logs, first), 0))?.[1]
  const ended = /(\S+Z)▸ exit 0 /.exec(piece(join(logs, last), -PIECE_BYTES))?.[1]
  if (began === undefined || ended === undefined)
    throw new Error(`The log in ${logs} does not say when the command ended`)
  return (Date.parse(ended) - Date.parse(began)) / 1000
}

const PIECE_BYTES = 2_000

function piece(path: string, from: number): string {
  const file = openSync(path, 'r')
  const bytes = Buffer.alloc(PIECE_BYTES)
  const size = fstatSync(file).size
  const read = readSync(file, bytes, 0, PIECE_BYTES, from < 0 ? Math.max(0, size + from) : from)
  closeSync(file)
  return bytes.toString('utf8', 0, read)
}
