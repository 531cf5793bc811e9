import { messageOf } from '../errors.ts'
import type { Channel } from './outbox.ts'
import { retryAfter } from '../retry-after.ts'
import type { SendFailure } from './rules.ts'
import type { SlackMessage } from './slack-message.ts'

const TIMEOUT_MS = 10_000

/** Messages to a Slack incoming webhook. The address is a credential and never part of an error. */
export const slackChannel = (webhookUrl: () => string | undefined, clock: () => number): Channel => ({
  send: ({ body }) => postToSlack(webhookUrl(), body as SlackMessage),
  failureOf: (thrown) => slackFailure(thrown, clock()),
})

/** Posts one message. Rejects with what Slack said, never with its address. */
export async function postToSlack(url: string | undefined, { text, blocks }: SlackMessage): Promise<void> {
  if (url === undefined) throw new SlackError('Slack is not configured any more', 404, undefined)
  const answer: { retryAfter: string | undefined; status: number | undefined } = {
    retryAfter: undefined,
    status: undefined,
  }
  // The library's error knows no headers, so the one that matters is noted on the way.
  const noting: typeof fetch = async (input, init) => {
    const response = await fetch(input, init)
    answer.status = response.status
    answer.retryAfter = response.headers.get('retry-after') ?? undefined
    return response
  }
  const { IncomingWebhook } = await import('@slack/webhook')
  try {
    await new IncomingWebhook(url, { timeout: TIMEOUT_MS, fetch: noting }).send({
      text,
      blocks: blocks as never,
      unfurl_links: false,
      unfurl_media: false,
    })
  } catch (thrown) {
    throw new SlackError(reasonOf(thrown, answer.status), answer.status, answer.retryAfter, thrown)
  }
}

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

/** Everything Slack refuses with a 4xx stays refused, but for 429. */
function slackFailure(thrown: unknown, now: number): SendFailure {
  const { status, retryAfter: header } =
    thrown instanceof SlackError ? thrown : { status: undefined, retryAfter: undefined }
  return {
    message: messageOf(thrown),
    status,
    retryAt: retryAfter(header, now),
    limited: status === 429,
    final: status !== undefined && status >= 400 && status < 500 && status !== 429 && status !== 408,
  }
}
