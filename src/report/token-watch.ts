import type { Journal } from '../logs/journal.ts'
import type { Store } from '../store/store.ts'
import { slackMessageOf, type SlackMessage } from './slack-message.ts'
import { countOf } from './text.ts'
import { startWatch, type Watch } from './watch.ts'

export interface TokenWatchParts {
  /** Asks GitHub anything: every answer says when the token ends. Undefined for one that lives for ever. */
  expiresAt(): Promise<number | undefined>
  /** Posts to Slack; undefined where Slack is not configured. */
  readonly post: () => ((message: SlackMessage) => Promise<void>) | undefined
  readonly store: Pick<Store, 'note' | 'noted'>
  readonly clock: () => number
  readonly journal: Journal
}

const DAY_MS = 24 * 60 * 60_000
const LOOK_AGAIN_MS = DAY_MS / 4
/** How many days before the end it is said, each once. */
const WARNINGS = [14, 7, 3, 1, 0] as const
const NOTE = 'token_expiry_told'

/** Says in Slack and in the log that GitHub's token ends soon: without it nothing can be reported or deployed. */
export function startTokenWatch({ expiresAt, post, store, clock, journal }: TokenWatchParts): Watch {
  /** What the log has said; Slack may be configured later. */
  let logged: string | undefined
  const look = async (): Promise<void> => {
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
  }
  return startWatch(LOOK_AGAIN_MS, look, (error) => journal.warn('token:expiry-not-told', { error }))
}

function sentence(days: number, end: number): string {
  const when = new Date(end).toISOString().slice(0, 16).replace('T', ' ')
  const what = 'after that Ferryman can neither report nor deploy. Make a new one and set `github.token`.'
  return days === 0
    ? `GitHub's token has ended at ${when} UTC: ${what}`
    : `GitHub's token ends in ${countOf(days, 'day')}, at ${when} UTC: ${what}`
}
