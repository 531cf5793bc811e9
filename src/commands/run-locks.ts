import { readDuration } from '../config/units.ts'
import { problem } from '../errors.ts'
import { oneLine } from '../logs/one-line.ts'
import { asJson } from './as-json.ts'
import { askForJson, type ServerChoice } from './client.ts'
import { moment, table } from './table.ts'

interface Shown {
  readonly id: number
  readonly place: string
  readonly reason: string
  readonly by: string
  readonly since: string
  readonly until: string | null
  readonly says: string
}

interface PlaceOptions {
  readonly server: ServerChoice
  readonly repository: string | undefined
  readonly environment: string | undefined
  readonly isEverything: boolean
  readonly json: boolean
}

export async function runLock({
  reason,
  lasting,
  ...given
}: PlaceOptions & {
  readonly reason: string | undefined
  readonly lasting: string | undefined
}): Promise<number> {
  const place = placeIn(given)
  if (place === undefined) throw wrong('what to lock: REPOSITORY, REPOSITORY ENVIRONMENT or --everything')
  if (reason === undefined || reason.trim() === '') throw wrong('--reason TEXT, for everybody to read')
  const time = lasting === undefined ? undefined : readDuration(lasting)
  if (time !== undefined && 'expected' in time) throw wrong(`--for ${lasting} (expected ${time.expected})`)
  const body = { ...place, reason, ...(time === undefined ? {} : { for_seconds: time.value }) }
  const { lock } = (await askForJson(given.server, { method: 'POST', path: '/api/locks', body })) as {
    lock: Shown
  }
  say(
    given.json,
    lock,
    `${lock.says}\nIt is lock ${lock.id}. \`ferryman unlock --lock ${lock.id}\` frees it.`,
  )
  return 0
}

export async function runUnlock({
  lock: number,
  ...given
}: PlaceOptions & { readonly lock: string | undefined }): Promise<number> {
  if (number !== undefined && !/^\d{1,15}$/.test(number)) throw wrong(`--lock ${number} (a number)`)
  const place = placeIn(given)
  if (place === undefined && number === undefined)
    throw wrong('what to free: REPOSITORY, REPOSITORY ENVIRONMENT, --everything or --lock ID')
  const body = { ...place, ...(number === undefined ? {} : { lock: Number(number) }) }
  const { lock } = (await askForJson(given.server, { method: 'POST', path: '/api/locks/free', body })) as {
    lock: Shown
  }
  say(given.json, lock, `Freed lock ${lock.id}: ${lock.says}`)
  return 0
}

export async function runLocks({ server, json }: Pick<PlaceOptions, 'server' | 'json'>): Promise<number> {
  const { locks } = (await askForJson(server, { method: 'GET', path: '/api/locks' })) as { locks: Shown[] }
  const rows = locks.map((one) => [
    String(one.id),
    one.place === '*' ? 'everything' : one.place,
    one.by,
    moment(one.since),
    one.until === null ? '' : moment(one.until),
    one.reason,
  ])
  if (json || rows.length === 0) say(json, locks, 'Nothing is locked.')
  else process.stdout.write(table(['ID', 'WHAT', 'BY', 'SINCE (UTC)', 'UNTIL (UTC)', 'WHY'], rows))
  return 0
}

/** What is meant; undefined when nothing was named. */
function placeIn({ repository, environment, isEverything }: PlaceOptions) {
  if (isEverything && repository !== undefined) throw wrong('either a repository or --everything')
  if (isEverything) return { everything: true }
  return repository === undefined
    ? undefined
    : { repository, ...(environment === undefined ? {} : { environment }) }
}

const wrong = (list: string) => problem('request_wrong', { list })

function say(json: boolean, what: unknown, text: string): void {
  process.stdout.write(json ? asJson(what) : `${text.split('\n').map(oneLine).join('\n')}\n`)
}
