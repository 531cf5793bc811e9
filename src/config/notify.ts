import type { SlackNotices } from './config.ts'
import type { Path } from './positions.ts'
import { DEFAULTS } from './defaults.ts'
import type { EnvironmentEntry } from './schema.ts'
import { originIn, type Level } from './work.ts'

/** What holds for every environment that says nothing else. */
export interface General {
  /** Undefined where Slack is not configured. */
  readonly slackUrl: string | undefined
  /** Where logs are put. */
  readonly logTo: EnvironmentEntry['log_to']
  /** As whom we speak to GitHub; undefined: not at all. */
  readonly github: 'token' | 'app' | undefined
}

export interface NotifyOptions {
  /** Undefined where that could not be read. */
  readonly general: General | undefined
  readonly complain: (path: Path, message: string) => void
}

/**
 * What Slack is told of an environment; undefined: nothing. Each key counts where it stands first, from the nearest
 * level on; `off` hides what the levels behind it say.
 */
export function readSlackNotices(
  levels: readonly Level[],
  { general, complain }: NotifyOptions,
): SlackNotices | undefined {
  const said = levels.flatMap(({ entry }) => entry.notify?.slack ?? [])
  if (said[0] === 'off') return undefined
  const isHidden = (index: number): boolean => said.slice(0, index + 1).includes('off')
  const heard = said.flatMap((one, index) => (one === 'off' || isHidden(index) ? [] : one))
  const chosen = heard.find((one) => one.events !== undefined)?.events
  const everyFailure = heard.find((one) => one.every_failure !== undefined)?.every_failure
  const events = chosen ?? DEFAULTS.slack_events
  if (events.length === 0) return undefined
  const own = heard.find((one) => one.webhook_url !== undefined)?.webhook_url
  // A file has been read by now, or there was a complaint about it.
  const webhookUrl = typeof own === 'string' ? own : general?.slackUrl
  if (webhookUrl !== undefined)
    return { webhookUrl, events, everyFailure: everyFailure ?? DEFAULTS.every_failure }
  if (chosen !== undefined && own === undefined && general !== undefined)
    complain(
      [...originIn(levels, 'notify'), 'slack'],
      'has no address: write webhook_url here, or slack.webhook_url for all',
    )
  return undefined
}
