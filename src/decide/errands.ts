import { readDuration } from '../config/units.ts'
import type { Errand } from '../deployment/errand.ts'
import type { DeploymentSignal } from '../deployment/signal.ts'
import { cut } from '../logs/one-line.ts'

/** What a deployment asks for, or why nobody can tell. */
export type ErrandReading = { readonly errand: Errand } | { readonly wrong: string }

const MOST_REASON = 500

/**
 * Reads what a deployment with the task `deploy:lock` or `deploy:unlock` asks for. Its payload may say
 * `{"reason": "why", "for": "2h"}`, or which lock is meant: `{"lock": 7}`; a description serves as the reason. `mask` hides
 * secrets in it, before it is cut. Pure.
 */
export function readErrand(
  kind: Errand['kind'],
  { payload, description, createdAt }: Pick<DeploymentSignal, 'payload' | 'description' | 'createdAt'>,
  { receivedAt, mask }: { readonly receivedAt: number; mask(text: string): string },
): ErrandReading {
  const at = createdAt ?? receivedAt
  const given = mappingIn(payload)
  if (kind === 'unlock') {
    const { lock } = given
    if (lock === undefined) return { errand: { kind, lock: undefined, at } }
    const number = typeof lock === 'string' && /^\d{1,15}$/.test(lock) ? Number(lock) : lock
    return typeof number === 'number' && Number.isSafeInteger(number) && number > 0
      ? { errand: { kind, lock: number, at } }
      : { wrong: 'Not unlocked: "lock" in the payload is not the number of a lock' }
  }
  const said = [given['reason'], description].find((one) => typeof one === 'string' && one.trim() !== '')
  const reason =
    typeof said === 'string' ? cut(mask(said.trim()).toWellFormed(), MOST_REASON) : 'no reason given'
  const lasting = given['for']
  if (lasting === undefined) return { errand: { kind, reason, until: undefined, at } }
  const time = readDuration(typeof lasting === 'string' ? lasting : JSON.stringify(lasting))
  return 'value' in time
    ? { errand: { kind, reason, until: at + time.value * 1000, at } }
    : { wrong: `Not locked: "for" in the payload is not ${time.expected}` }
}

/** The payload as a mapping; an empty one where it is something else. */
function mappingIn(payload: string): Readonly<Record<string, unknown>> {
  const parsed = parsedOr(payload)
  const inner = typeof parsed === 'string' ? parsedOr(parsed) : parsed // GitHub hands on text as text
  return typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>) : {}
}

function parsedOr(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
