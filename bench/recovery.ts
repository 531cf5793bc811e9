import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { FERRYMAN, startFerryman, startGitHubSink, type Contender, type GitHubSink } from './contenders.ts'
import { createDeliveries } from './deliveries.ts'
import { growHistory } from './long-history.ts'
import { answered, median, type Place } from './place.ts'
import { ms, rate, type Findings } from './report.ts'

const DEPLOYMENTS = 100_000

/** From the start of the process to `/readyz`: killed in the midst of work with a long history, and after a clean stop. */
export async function measureRecovery(place: Place): Promise<Findings> {
  const github = await startGitHubSink(0)
  const next = createDeliveries({ otherDeployments: true })
  const [young, old] = [place.folder('young'), place.folder('old')]
  for (const folder of [young, old]) {
    const first = await begin(place, folder, github, next)
    await place.end(first.program)
  }
  place.say(`recovery: making a history of ${rate(DEPLOYMENTS)} deployments`)
  growHistory(join(old, 'data/ferryman.sqlite'), { deployments: DEPLOYMENTS, repositories: 1 })
  const clean: number[] = []
  const killed: number[] = []
  const rounds = place.quick ? 2 : 7
  for (let round = 1; round <= rounds; round += 1) {
    place.say(`recovery: round ${round} of ${rounds}`)
    clean.push(await readyIn(place, young))
    const { program } = await begin(place, old, github, next)
    const gone = once(program.child, 'exit')
    process.kill(program.pid, 'SIGKILL')
    await gone
    killed.push(await readyIn(place, old))
  }
  github.stop()
  return {
    title: `From the start of the process to ready, ${rounds} times`,
    head: ['', 'median'],
    rows: [
      ['after a clean stop', ms(median(clean))],
      [`after kill -9, ${rate(DEPLOYMENTS)} deployments in history`, ms(median(killed))],
    ],
    goals: [{ what: 'ready after kill -9 ÷ clean start', ratio: median(killed) / median(clean), most: 1.3 }],
  }
}

/** Starts the server and a deployment that does not end by itself. */
async function begin(
  place: Place,
  folder: string,
  github: GitHubSink,
  next: ReturnType<typeof createDeliveries>,
): Promise<Contender> {
  const server = await startFerryman(place, { folder, command: ['sleep', '600'], github: github.port })
  const running = github.next('in_progress')
  const answer = await fetch(`http://127.0.0.1:${server.port}${server.path}`, { method: 'POST', ...next() })
  await answer.arrayBuffer()
  if (answer.status !== 202) throw new Error(`A deployment was answered ${answer.status}`)
  await running
  return server
}

/** Starts the server that the folder's configuration describes, and stops it when it was ready. */
async function readyIn(place: Place, folder: string): Promise<number> {
  const { server } = JSON.parse(readFileSync(join(folder, 'config.yml'), 'utf8')) as {
    server: { port: number }
  }
  const from = performance.now()
  const program = place.start('ferryman', [FERRYMAN, 'serve', '-c', join(folder, 'config.yml')])
  await answered(program, `http://127.0.0.1:${server.port}/readyz`)
  const took = performance.now() - from
  await place.end(program)
  return took
}
