import { setTimeout as pause } from 'node:timers/promises'

import { FERRYMAN, writeConfig } from './contenders.ts'
import { answered, freePort, median, memory, type Place } from './place.ts'
import { megabytes, ms, type Findings } from './report.ts'

const BARE = `import { createServer } from 'node:http'
createServer((_, response) => response.end('{}')).listen(Number(process.argv[1]), '127.0.0.1')`

interface Way {
  readonly name: string
  readonly argv: (folder: string, port: number) => readonly string[]
  readonly took: number[]
  readonly idle: number[]
}

/** From the start of the process to the first answer, and the memory of a server that has nothing to do. */
export async function measureStart(place: Place): Promise<Findings> {
  const serve = (folder: string, port: number) => ['serve', '-c', writeConfig(folder, port, {})]
  const script: Way = {
    name: 'bin/ferryman serve',
    argv: (...to) => [FERRYMAN, ...serve(...to)],
    took: [],
    idle: [],
  }
  const direct: Way = {
    name: 'node src/cli.ts serve',
    argv: (...to) => [process.execPath, FERRYMAN.replace('bin/ferryman', 'src/cli.ts'), ...serve(...to)],
    took: [],
    idle: [],
  }
  const bare: Way = {
    name: 'bare node:http',
    argv: (_, port) => [process.execPath, '--input-type=module', '-e', BARE, String(port)],
    took: [],
    idle: [],
  }
  const rounds = place.quick ? 2 : 5
  for (let round = 1; round <= rounds; round += 1)
    for (const way of [script, direct, bare]) {
      place.say(`start: round ${round} of ${rounds}`)
      await once(place, way)
    }
  return {
    title: 'From the start of the process to the first answer, and memory when idle',
    head: ['', 'first answer', 'memory'],
    rows: [script, direct, bare].map(({ name, took, idle }) => [
      name,
      ms(median(took)),
      megabytes(median(idle)),
    ]),
    goals: [
      {
        what: 'first answer of bin/ferryman ÷ bare node:http',
        ratio: median(script.took) / median(bare.took),
        most: 3,
      },
      { what: 'idle memory ÷ bare node:http', ratio: median(script.idle) / median(bare.idle), most: 1.25 },
    ],
  }
}

async function once(place: Place, { name, argv, took, idle }: Way): Promise<void> {
  const port = await freePort()
  const words = argv(place.folder('start'), port)
  const from = performance.now()
  const program = place.start(name, words)
  await answered(program, `http://127.0.0.1:${port}/healthz`)
  took.push(performance.now() - from)
  await pause(place.quick ? 300 : 11_000) // by then it has given back what it needs no longer
  idle.push(memory(program.pid, 'VmRSS'))
  await place.end(program)
}
