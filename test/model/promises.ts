import type { Deployment } from '../../src/deployment/deployment.ts'
import { CANCELLED, FAILED, HELD } from '../../src/deployment/reasons.ts'
import { isFinal } from '../../src/deployment/state.ts'
import { DAY, HOUR, type Model } from './model.ts'
import type { World } from './world.ts'

const FINAL_STATUSES: readonly unknown[] = ['success', 'failure', 'error', 'inactive']

/** Looks at every promise that is to hold at any moment; throws with all that are broken. */
export async function assertPromises(world: World): Promise<void> {
  const { model, life, store, published } = world
  const rows = await world.rows()
  model.seen = rows
  const wrong = [
    ...rows.flatMap((row) => [...ofReasons(row), ...ofCommit(row, model)]),
    ...ofLanes(rows),
    ...ofNumbers(rows),
    ...ofBeginnings(rows, model),
  ]
  for (const row of rows) wrong.push(...(await ofStatuses(row, store)))
  for (const { githubId, sha } of rows) {
    const there = published.find(({ id }) => id === githubId)
    if (there !== undefined && there.sha !== sha) wrong.push(`#${githubId} of GitHub’s has another commit`)
  }
  for (const row of rows.filter(isActive))
    if (!life.running.has(row.id)) wrong.push(`${told(row)} is active, and nothing runs for it`)
  assertNone(wrong, rows)
}

export function assertNone(wrong: readonly string[], rows: readonly Deployment[]): void {
  if (wrong.length > 0) throw new Error([...wrong, 'Written down:', ...rows.map(told)].join('\n  '))
}

/** A row, for people. */
const told = ({ id, environment, number, sha, origin, state, hold, reason, detail }: Deployment): string =>
  `${id}: ${environment}#${number} ${origin} of ${sha.slice(0, 7)} ${state} ${hold?.reason ?? reason ?? ''} ${hold?.detail ?? detail ?? ''}`

const isActive = ({ state }: Deployment): boolean => state === 'running' || state === 'cancelling'

/** Every "no" has a reason. */
function ofReasons(row: Deployment): string[] {
  const { state, hold, reason, detail = '' } = row
  const wrong = [
    hold !== undefined && state !== 'queued' && 'is held, and not queued any more',
    hold !== undefined && (!(hold.reason in HELD) || hold.detail === '') && 'is held without a reason',
    state === 'failed' && (!((reason ?? '') in FAILED) || detail === '') && 'failed without a reason',
    state === 'cancelled' && (!((reason ?? '') in CANCELLED) || detail === '') && 'ended without a reason',
    (state === 'queued' || state === 'running') && reason !== undefined && 'has a reason before its end',
  ]
  return wrong.flatMap((one) => (one === false ? [] : [`${told(row)} ${one}`]))
}

/** Exactly that commit. */
function ofCommit(row: Deployment, { pinned, sent }: Model): string[] {
  const { id, sha, origin, environment } = row
  const isSent = origin === 'deployment' || origin === 'person' || sent.has(`${environment} ${sha}`)
  return pinned.get(id) === sha || (!pinned.has(id) && isSent)
    ? []
    : [`${told(row)}: nobody wanted that commit`]
}

/** One active deployment per lane. */
function ofLanes(rows: readonly Deployment[]): string[] {
  const lanes = rows.filter(isActive).map(({ lane }) => lane)
  return new Set(lanes).size === lanes.length ? [] : ['two are active in one lane']
}

function ofNumbers(rows: readonly Deployment[]): string[] {
  return [...Map.groupBy(rows, ({ environment }) => environment)].flatMap(([environment, those]) =>
    those.every(({ number }, index) => number === index + 1)
      ? []
      : [`the numbers of ${environment} do not count up: ${those.map(({ number }) => number).join(', ')}`],
  )
}

/** Nothing is started twice, past a gate, or backwards. */
function ofBeginnings(rows: readonly Deployment[], { begun, commits, before: there }: Model): string[] {
  const byId = new Map(rows.map((row) => [row.id, row]))
  return begun.flatMap(({ id, environment, sha, byItself, closed }, index) => {
    const before = begun.slice(0, index)
    const isTwice = before.some(
      (one) =>
        one.id === id || (byItself && one.byItself && one.environment === environment && one.sha === sha),
    )
    const live = before.findLast(
      (one) => one.environment === environment && byId.get(one.id)?.state === 'succeeded',
    )
    const goesBack = byItself && live !== undefined && commits.indexOf(live.sha) >= commits.indexOf(sha)
    // Whoever asked for something older than what was there wanted to go back.
    const wasNewer = (there.get(id) ?? Infinity) <= commits.indexOf(sha)
    const takesAway =
      wasNewer && live !== undefined && live.id > id && commits.indexOf(live.sha) > commits.indexOf(sha)
    const name = `${environment} ${sha.slice(0, 7)} (${id})`
    return [
      ...(byId.get(id)?.sha === sha ? [] : [`${name} ran with another commit`]),
      ...(isTwice ? [`${name} was started twice`] : []),
      ...(closed === undefined ? [] : [`${name} began in spite of ${closed}`]),
      ...(takesAway ? [`${name} took away ${live.sha.slice(0, 7)}, which came later`] : []),
      ...(goesBack ? [`${name} went there by itself after ${live.sha.slice(0, 7)}`] : []),
    ]
  })
}

/** GitHub hears of each end once, and last. */
async function ofStatuses(row: Deployment, { outbox }: World['store']): Promise<string[]> {
  if (row.githubId === undefined) return []
  const states = (await outbox.of(row.id)).map(({ body }) => Reflect.get(Object(body), 'state') as unknown)
  const finals = states.filter((state) => FINAL_STATUSES.includes(state))
  const isRight = isFinal(row.state)
    ? finals.length === 1 && FINAL_STATUSES.includes(states.at(-1))
    : finals.length === 0
  return isRight ? [] : [`${told(row)}: GitHub is told ${states.join(', ')}`]
}

/** What is queued, not held, and has a lane that is free: after a claim there is none. */
export const leftInFreeLane = (rows: readonly Deployment[]): string[] => {
  const busy = new Set(rows.filter(isActive).map(({ lane }) => lane))
  return rows
    .filter(({ state, hold, lane }) => state === 'queued' && hold === undefined && !busy.has(lane))
    .map((row) => `${told(row)} was not taken, though its lane is free`)
}

/** What has to be true when nothing moves any more: all has ended, and what did not succeed says why, truly. */
export function ofTheEnd(
  rows: readonly Deployment[],
  model: Model,
  published: readonly { id: number }[],
): string[] {
  const here = (key: string): boolean => rows.some((row) => `${row.environment} ${row.sha}` === key)
  return [
    ...rows.filter(({ state }) => !isFinal(state)).map((row) => `${told(row)} has not ended`),
    ...rows
      .filter((row) => isFinal(row.state) && !isTrue(row, rows, model))
      .map((row) => `${told(row)}: not so`),
    ...[...model.told].filter((key) => !here(key)).map((key) => `${key} was acknowledged and is lost`),
    ...published
      .filter(({ id }) => !rows.some(({ githubId }) => githubId === id))
      .map(({ id }) => `deployment ${id} of GitHub’s is unknown`),
  ]
}

/** Checks are waited for three hours, GitHub a day, and people and other environments a month. */
const hasWaited = ({ environment, createdAt, finishedAt = 0 }: Deployment): boolean =>
  finishedAt - createdAt >= (environment === 'production' ? 3 * HOUR : DAY)

/** Whether the end of a deployment is what has happened, as far as one can see from outside. */
function isTrue(row: Deployment, rows: readonly Deployment[], model: Model): boolean {
  const { id, sha, environment, origin, reason, state, detail = '' } = row
  const place = (commit: string): number => model.commits.indexOf(commit)
  const isAsked = (one: Deployment): boolean => one.origin === 'deployment' || one.origin === 'person'
  const others = rows.filter((one) => one.environment === environment && one.id !== id)
  const successor = others.find(({ number }) => detail.endsWith(`#${number}.`))
  if (state === 'succeeded') return model.ends.get(id) === 'well'
  switch (reason) {
    case 'command_failed':
      return model.ends.get(id) === 'badly'
    case 'interrupted':
      return model.interrupted.has(id)
    case 'by_person':
      return model.cancelled.has(id)
    case 'checks_failed':
      return environment === 'production' && origin !== 'deployment' && model.red.has(sha)
    case 'wait_expired':
      return hasWaited(row)
    case 'superseded':
      if (successor === undefined) return false
      // Where the latest counts alone, what is asked for later takes the place of all that has not begun.
      if (environment === 'staging' && successor.number > row.number && (isAsked(row) || isAsked(successor)))
        return true
      return !isAsked(row) && !isAsked(successor) && place(successor.sha) > place(sha)
    case 'overtaken':
      // What was asked for gives way to what is newer alone, or to what came while nobody told of it.
      return isAsked(row)
        ? (row.githubId !== undefined && model.late.has(row.githubId)) ||
            others.some((one) => one.state === 'succeeded' && place(one.sha) > place(sha))
        : others.some((one) => one.state === 'succeeded' && place(one.sha) >= place(sha))
    default:
      return false
  }
}
