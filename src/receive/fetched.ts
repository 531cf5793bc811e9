import { hash } from 'node:crypto'

import type { NewDelivery } from '../store/store.ts'
import { actionOf } from './signals.ts'

export interface Fetched {
  readonly delivery: NewDelivery
  readonly body: unknown
}

/** No header of a webhook is called so: see `keptOf`. */
const HEADERS = { 'content-type': 'application/json', 'x-ferryman-origin': 'catch-up' } as const

/** The delivery that should have come; its GUID, `catch-up-…`, and a header say that it was fetched. */
export function fetchedDelivery(
  payload: object,
  { id, event, at }: { readonly id: string; readonly event: string; readonly at: number },
): Fetched {
  const text = JSON.stringify(payload, plainNumber)
  const body: unknown = JSON.parse(text)
  const guid = `catch-up-${id}`
  return {
    body,
    delivery: {
      key: `${guid}:${hash('sha256', text, 'base64url')}`,
      guid,
      event,
      action: actionOf(body),
      receivedAt: at,
      headers: HEADERS,
      body: Buffer.from(text),
    },
  }
}

/** Whether a delivery was not sent to us, but fetched here. */
export const isFetched = ({ headers }: Pick<NewDelivery, 'headers'>): boolean =>
  headers['x-ferryman-origin'] === HEADERS['x-ferryman-origin']

/** Octokit reads numbers that are too large for a number as BigInt; a webhook's are read as numbers. */
const plainNumber = (_: string, value: unknown): unknown =>
  typeof value === 'bigint' ? Number(value) : value
