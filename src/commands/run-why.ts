import { problem } from '../errors.ts'
import { oneLine } from '../logs/one-line.ts'
import { asJson } from './as-json.ts'
import { askForJson, type ServerChoice } from './client.ts'

interface WhyOptions {
  readonly server: ServerChoice
  readonly repository: string | undefined
  readonly environment: string | undefined
  readonly json: boolean
}

interface Answer {
  readonly answer: string
  readonly facts: readonly { readonly about: string; readonly says: string }[]
}

export async function runWhy({ server, repository, environment, json }: WhyOptions): Promise<number> {
  if (repository === undefined) throw problem('request_wrong', { list: 'REPOSITORY, as owner/name' })
  const query = new URLSearchParams({ repository, ...(environment === undefined ? {} : { environment }) })
  const path = `/api/why?${query.toString()}`
  const answer = (await askForJson(server, { method: 'GET', path })) as Answer
  process.stdout.write(json ? asJson(answer) : told(answer))
  return 0
}

function told({ answer, facts }: Answer): string {
  const width = Math.max(...facts.map(({ about }) => about.length))
  const lines = facts.map(({ about, says }) => `  ${about.padEnd(width)}  ${oneLine(says)}`)
  return `${oneLine(answer)}\n\n${lines.join('\n')}\n`
}
