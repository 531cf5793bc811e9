import { fetchAtMost } from '../answer-limit.ts'
import { messageOf } from '../errors.ts'
import { createPace } from '../pace.ts'
import type { Channel, Urgency } from './outbox.ts'
import { retryAfter } from '../retry-after.ts'
import type { SendFailure } from './rules.ts'
import type { SlackMessage } from './slack-message.ts'

const TIMEOUT_MS = 10_000
/** Slack answers in one word. */
const MOST_BYTES = 65_536

/** One message a second, short bursts are fine: https://docs.slack.dev/apis/web-api/rate-limits */
const A_SECOND_EACH = [{ most: 10, eachMs: 1_000 }] as const

/** Where messages go, and what ends those that are under way. */
export interface SlackAddress {
  /** Undefined where Slack is told nothing any more. It is a credential and never part of an error. */
  readonly url: string | undefined
  readonly signal?: AbortSignal
  readonly timeoutMs?: number
}

/** Messages to a Slack incoming webhook. */
export const slackChannel = (address: () => SlackAddress, clock: () => number): Channel => ({
  pace: createPace<Urgency>({ final: A_SECOND_EACH, progress: A_SECOND_EACH }),
  send: ({ body }) => postToSlack(address(), body as SlackMessage),
  failureOf: (thrown) => slackFailure(thrown, clock()),
})

/** Posts one message. Rejects with what Slack said, never with its address. */
export async function postToSlack(
  { url, signal: ended, timeoutMs = TIMEOUT_MS }: SlackAddress,
  { text, blocks }: SlackMessage,
): Promise<void> {
  if (url === undefined) throw new SlackError('Slack is told nothing of this any more', 404, undefined)
  const answer: { retryAfter: string | undefined; status: number | undefined } = {
    retryAfter: undefined,
    status: undefined,
  }
  const fetchThere = fetchAtMost(MOST_BYTES)
  // The library's error knows no headers, so the one that matters is noted on the way.
  const noting: typeof fetch = async (input, init) => {
    const signals = [init?.signal, ended].filter((one) => one !== undefined && one !== null)
    const response = await fetchThere(input, { ...init, signal: AbortSignal.any(signals) })
    answer.status = response.status
    answer.retryAfter = response.headers.get('retry-after') ?? undefined
    return response
  }
  const { IncomingWebhook } = await import('@slack/webhook')
  const webhook = new IncomingWebhook(url, { timeout: timeoutMs, fetch: noting })
  let said: string
  try {
    const message = { text, blocks: blocks as never, unfurl_links: false, unfurl_media: false }
    said = (await webhook.send(message)).text
  } catch (thrown) {
    throw new SlackError(reasonOf(thrown, answer.status), answer.status, answer.retryAfter, thrown)
  }
  // A page is a proxy's or a sign-in's. Slack says `ok`, what imitates it something of its own.
  if (said.trimStart().startsWith('<'))
    throw new SlackError('A page answered for Slack', undefined, undefined)
  const word = said.trim()
  const status = STATUSES.get(word)
  if (status !== undefined) throw new SlackError(`Slack answered 200: ${word}`, status, undefined)
}

/** Slack's words for a no, with the status that belongs to each; some have been seen with a 200. */
const STATUSES: ReadonlyMap<string, number> = new Map([
  ['invalid_payload', 400],
  ['invalid_blocks', 400],
  ['no_text', 400],
  ['too_many_attachments', 400],
  ['user_not_found', 400],
  ['action_prohibited', 403],
  ['invalid_token', 403],
  ['posting_to_general_channel_denied', 403],
  ['channel_not_found', 404],
  ['no_active_hooks', 404],
  ['no_service', 404],
  ['no_team', 404],
  ['channel_is_archived', 410],
  ['rollup_error', 500],
])

class SlackError extends Error {
  override readonly name = 'SlackError'
  readonly status: number | undefined
  readonly retryAfter: string | undefined

  constructor(message: string, status: number | undefined, retryAfter: string | undefined, cause?: unknown) {
    super(message, { cause })
    this.status = status
    this.retryAfter = retryAfter
  }
}

/** Slack answers in one plain word, such as `invalid_blocks` or `channel_is_archived`. */
function reasonOf(thrown: unknown, status: number | undefined): string {
  if (status === undefined) return 'Slack did not answer'
  const body: unknown =
    typeof thrown === 'object' && thrown !== null ? Reflect.get(thrown, 'body') : undefined
  const word = typeof body === 'string' && /^[\w .-]{1,100}$/.test(body) ? `: ${body}` : ''
  return `Slack answered ${status}${word}`
}

/**
 * What a failed message means. A right that is missing, or was taken back, may be given again; every other 4xx
 * is about this message or this address, but for the two that ask for patience.
 */
function slackFailure(thrown: unknown, now: number): SendFailure {
  const { status, retryAfter: header } =
    thrown instanceof SlackError ? thrown : { status: undefined, retryAfter: undefined }
  const isRefusal = status !== undefined && status >= 400 && status < 500
  return {
    message: messageOf(thrown),
    status,
    retryAt: retryAfter(header, now),
    limited: status === 429,
    final: isRefusal && ![401, 403, 408, 429].includes(status),
    concerns: 'recipient',
  }
}
