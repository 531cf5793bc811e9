import { createHash } from 'node:crypto'

import type { Config, SlackNotices } from '../config/config.ts'
import { placeOf, type Deployment } from '../deployment/deployment.ts'
import { EVERYWHERE, placesOf } from '../deployment/gates.ts'
import type { Places } from '../store/store.ts'
import type { Channel, Recipient } from './outbox.ts'
import { slackChannel, type SlackAddress } from './slack-channel.ts'

type Told = Pick<Config, 'slack' | 'repositories'>

export interface SlackParts {
  readonly config: () => Told
  /** How messages are posted, whatever their address. */
  readonly means: Omit<SlackAddress, 'url'>
  readonly clock: () => number
}

/** Who has waited for longer wants to know where it is now, and not where it was. */
const FRESH_MS = 5_000

/**
 * Whom messages to Slack reach, by the configuration of this moment. Every address is a recipient of its own, so that
 * one that is broken holds up no other. What is owed about an environment that is not configured any more goes to the
 * general address; about one of which Slack is told nothing any more, it is refused.
 */
export function createSlackRecipients({ config, means, clock }: SlackParts): () => readonly Recipient[] {
  let channels: ReadonlyMap<Url, Channel> = new Map()
  /** The pace goes on where an address stays. */
  const channelsTo = (urls: readonly Url[]): ReadonlyMap<Url, Channel> =>
    new Map(urls.map((url) => [url, channels.get(url) ?? slackChannel(() => ({ ...means, url }), clock)]))

  let made: { readonly of: Told; readonly recipients: readonly Recipient[] } | undefined
  return () => {
    const told = config()
    if (made?.of === told) return made.recipients
    const general = told.slack?.webhookUrl
    const owned = placesByAddress(told)
    owned.delete(general)
    channels = channelsTo([general, ...owned.keys()])
    const elsewhere = [...owned.values()].flat()
    const recipients = [...channels].map(([url, channel]) => ({
      ...channel,
      name: url === undefined ? 'slack' : `slack ${digest(url)}`,
      channel: 'slack',
      freshMs: FRESH_MS,
      places: url === general ? allBut(elsewhere) : { only: owned.get(url) ?? [] },
    }))
    made = { of: told, recipients }
    return recipients
  }
}

/** What Slack is told of the place that a deployment goes to; undefined: nothing. */
export function noticesOn(deployment: Deployment, { slack, repositories }: Told): SlackNotices | undefined {
  const { configuredAs, environment: name } = deployment
  const environment = repositories.get(configuredAs)?.environments.get(name.toLowerCase())
  return environment === undefined ? slack : environment.slack
}

/**
 * The addresses that are told of what is so at the place of a lock: those of every environment that it covers, each once;
 * of what is not configured any more, and of everything, the general one.
 */
export function addressesAt(place: string, { slack, repositories }: Told): readonly string[] {
  const covered = [...repositories].flatMap(([repository, { environments }]) =>
    [...environments].flatMap(([environment, notices]) =>
      placesOf({ configuredAs: repository, environment }).includes(place) ? [notices.slack] : [],
    ),
  )
  const told = place === EVERYWHERE || covered.length === 0 ? [slack, ...covered] : covered
  return [...new Set(told.flatMap((notices) => notices?.webhookUrl ?? []))]
}

/** Undefined: nothing is told. */
type Url = string | undefined

function placesByAddress({ repositories }: Told): Map<Url, string[]> {
  const places = new Map<Url, string[]>()
  for (const [repository, { environments }] of repositories)
    for (const [environment, { slack }] of environments) {
      const there = places.get(slack?.webhookUrl) ?? []
      places.set(slack?.webhookUrl, [...there, placeOf({ configuredAs: repository, environment })])
    }
  return places
}

const allBut = (places: readonly string[]): Places | undefined =>
  places.length === 0 ? undefined : { except: places }

/** Names an address without giving it away. */
const digest = (url: string): string => createHash('sha256').update(url).digest('hex').slice(0, 16)
