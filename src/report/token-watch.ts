import { messageOf } from '../errors.ts'
import type { Journal } from '../logs/journal.ts'
import type { Store } from '../store/store.ts'
import { createWaker } from '../waker.ts'
import { slackMessageOf, type SlackMessage } from './slack-message.ts'
import { countOf } from './text.ts'

export interface TokenWatchParts {
  /** Asks GitHub anything: every answer says when the token ends. Undefined for one that lives for ever. */
  expiresAt(): Promise<number | undefined>
  /** Posts to Slack; undefined where Slack is not configured. */
  readonly post: () => ((message: SlackMessage) => Promise<void>) | undefined
  readonly store: Pick<Store, 'note' | 'noted'>
  readonly clock: () => number
  readonly journal: Journal
}

export interface TokenWatch {
  /** Look now: the token may be another one. */
  wake(): void
  /** Looks no more; resolves when the look that is under way is over. */
  stop(): Promise<void>
}

const DAY_MS = 24 * 60 * 60_000
const LOOK_AGAIN_MS = DAY_MS / 4
/** How many days before the end it is said, each once. */
const WARNINGS = [14, 7, 3, 1, 0] as const
const NOTE = 'token_expiry_told'

/** Says in Slack and in the log that GitHub's token ends soon: without it nothing can be reported or deployed. */
export function startTokenWatch({ expiresAt, post, store, clock, journal }: TokenWatchParts): TokenWatch {
  /** What the log has said; Slack may be configured later. */
  let logged: string | undefined
  const waker = createWaker(async () => {
    try {
      const end = await expiresAt()
      if (end === undefined) return
      const days = Math.max(0, Math.ceil((end - clock()) / DAY_MS))
      const warning = WARNINGS.findLast((one) => days <= one)
      if (warning === undefined) return
      const telling = `${end}:${warning}`
      if ((await store.noted(NOTE)) === telling) return
      const text = sentence(days, end)
      const tell = post()
      if (tell === undefined && telling === logged) return
      await tell?.(slackMessageOf(`:warning: ${text}`, text))
      logged = telling
      if (tell !== undefined) await store.note(NOTE, telling)
      journal.warn('token:expires', { days, at: new Date(end).toISOString() })
    } catch (thrown) {
      journal.warn('token:expiry-not-told', { error: messageOf(thrown) })
    }
  })
  const timer = setInterval(waker.wake, LOOK_AGAIN_MS)
  waker.wake()
  return {
    wake: waker.wake,
    async stop() {
      clearInterval(timer)
      waker.stop()
      await waker.looking
    },
  }
}

function sentence(days: number, end: number): string {
  const when = new Date(end).toISOString().slice(0, 16).replace('T', ' ')
  const what = 'after that Ferryman can neither report nor deploy. Make a new one and set `github.token`.'
  return days === 0
    ? `GitHub's token has ended at ${when} UTC: ${what}`
    : `GitHub's token ends in ${countOf(days, 'day')}, at ${when} UTC: ${what}`
}
