import { request } from 'node:http'
import { join } from 'node:path'

import { REPOSITORY, createDeliveries } from './deliveries.ts'
import { startFerryman, startGitHubSink, type Contender, type GitHubSink } from './contenders.ts'
import { growHistory, type History } from './long-history.ts'
import { median, type Place } from './place.ts'
import { ms, rate, type Findings } from './report.ts'

const SHORT: History = { deployments: 100, repositories: 1 }
const LONG: History = { deployments: 1_000_000, repositories: 10_000 }
const QUICK: History = { deployments: 50_000, repositories: 500 }

/** What people and programs ask; each answers out of the whole history. */
const QUESTIONS = [
  `/api/deployments?name=${encodeURIComponent(`${REPOSITORY}/production#51`)}`,
  '/api/deployments/1',
  '/api/deliveries',
  '/api/deliveries?event=push',
  '/api/deliveries?verdict=ignored',
  '/api/deliveries/1',
  '/api/outbox',
  '/api/queue',
  `/api/why?repository=${REPOSITORY}&environment=production`,
  '/api/locks',
  '/api/pins',
]

interface Asked {
  readonly name: string
  readonly socket: string
  readonly contender: Contender
}

/** How long every question takes that is answered out of the history, with a short and with a long one. */
export async function measureHistory(place: Place): Promise<Findings> {
  const github = await startGitHubSink(0)
  const long = place.quick ? QUICK : LONG
  const [short, grown] = [await start(place, github, SHORT), await start(place, github, long)]
  const took = new Map<string, Took>(QUESTIONS.map((question) => [question, { short: [], long: [] }]))
  const rounds = place.quick ? 40 : 200
  for (let round = 0; round < rounds; round += 1) {
    if (round % 20 === 0) place.say(`history: round ${round} of ${rounds}`)
    for (const [question, { short: one, long: other }] of took) {
      one.push(await ask(short.socket, question))
      other.push(await ask(grown.socket, question))
    }
  }
  await Promise.all([short, grown].map(({ contender }) => place.end(contender.program)))
  github.stop()
  const medians = [...took].map(([question, all]) => ({
    question,
    short: median(all.short),
    long: median(all.long),
  }))
  return {
    title: `Questions, out of a history of ${rate(long.deployments)} deployments in ${rate(long.repositories)} repositories`,
    head: ['', `out of ${SHORT.deployments}`, `out of ${rate(long.deployments)}`],
    rows: medians.map((one) => [one.question, ms(one.short), ms(one.long)]),
    goals: [
      {
        what: 'the slowest answer, beside the same out of a hundred',
        ratio: Math.max(...medians.map((one) => one.long / one.short)),
        most: 1.25,
      },
    ],
  }
}

interface Took {
  readonly short: number[]
  readonly long: number[]
}

/** Makes a deployment and its history, and starts the server with them. */
async function start(place: Place, github: GitHubSink, history: History): Promise<Asked> {
  const folder = place.folder('history')
  const options = { folder, command: ['true'], github: github.port }
  const first = await startFerryman(place, options)
  const over = github.next('success')
  const answer = await fetch(`http://127.0.0.1:${first.port}${first.path}`, {
    method: 'POST',
    ...createDeliveries({ otherDeployments: true })(),
  })
  await answer.arrayBuffer()
  await over
  await place.end(first.program)
  place.say(`history: making ${rate(history.deployments)} deployments`)
  growHistory(join(folder, 'data/ferryman.sqlite'), history)
  const contender = await startFerryman(place, options)
  return { name: rate(history.deployments), socket: join(folder, 'data/ferryman.sock'), contender }
}

/** The milliseconds to the end of the answer; throws where it is none. */
function ask(socketPath: string, path: string): Promise<number> {
  const from = performance.now()
  return new Promise((resolve, reject) => {
    request({ socketPath, path }, (response) => {
      response.resume().once('end', () => {
        if (response.statusCode === 200) resolve(performance.now() - from)
        else reject(new Error(`${path} was answered ${response.statusCode}`))
      })
    })
      .once('error', reject)
      .end()
  })
}
