import type { Store } from '../store/store.ts'
import { EVERYTHING, type AllRests, type Resting } from './rests.ts'

const NOTE = 'outbox_limits'
/** GitHub's limits last no longer; a clock may have been wrong when this was written. */
const LONGEST_MS = 60 * 60_000

/** Writes down which recipients asked for patience: a restart must not ask them again at once. */
export async function keepLimits(rests: AllRests, store: Pick<Store, 'note'>, now: number): Promise<void> {
  const limits = rests.all().flatMap(([recipient, mine]) => {
    const rest = mine.resting(EVERYTHING, now)
    return rest?.isLimit === true ? [[recipient, rest] as const] : []
  })
  await store.note(NOTE, JSON.stringify(Object.fromEntries(limits)))
}

/** Lets the recipients rest that were resting when the server ended. */
export async function recallLimits(rests: AllRests, store: Pick<Store, 'noted'>, now: number): Promise<void> {
  const kept = JSON.parse((await store.noted(NOTE)) ?? '{}') as Readonly<Record<string, Resting>>
  for (const [recipient, rest] of Object.entries(kept))
    if (rest.until > now)
      rests.of(recipient).failed(EVERYTHING, { ...rest, until: Math.min(rest.until, now + LONGEST_MS) })
}
