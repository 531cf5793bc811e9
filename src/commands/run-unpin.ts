import { problem } from '../errors.ts'
import { oneLine } from '../logs/one-line.ts'
import { asJson } from './as-json.ts'
import { askForJson, type ServerChoice } from './client.ts'

interface UnpinOptions {
  readonly server: ServerChoice
  readonly repository: string | undefined
  readonly environment: string | undefined
  readonly json: boolean
}

export async function runUnpin({ server, repository, environment, json }: UnpinOptions): Promise<number> {
  if (repository === undefined) throw problem('request_wrong', { list: 'REPOSITORY, as owner/name' })
  const body = { repository, ...(environment === undefined ? {} : { environment }) }
  const answer = (await askForJson(server, { method: 'POST', path: '/api/pins/free', body })) as {
    readonly pin: { readonly place: string; readonly says: string }
  }
  const { place, says } = answer.pin
  const told = `${place} is not pinned any more (${says})`
  process.stdout.write(json ? asJson(answer) : `${oneLine(told)}\n`)
  return 0
}
