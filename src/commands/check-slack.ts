import type { Config } from '../config/config.ts'
import { fine, wrong, type Finding } from './findings.ts'

const TIMEOUT_MS = 10_000

/** Whether every address of Slack in the configuration takes messages. Posts nothing. */
export async function* checkSlack(config: Pick<Config, 'slack' | 'repositories'>): AsyncGenerator<Finding> {
  const addresses = addressesIn(config)
  if (addresses.size === 0) yield fine('Slack: not configured, so nothing is said there')
  yield* await Promise.all([...addresses].map(([url, use]) => checkAddress(url, use)))
}

/** For what an address is there, in words, and the key that it stands in. */
interface Use {
  readonly what: string
  readonly key: string
}

function addressesIn({
  slack,
  repositories,
}: Pick<Config, 'slack' | 'repositories'>): ReadonlyMap<string, Use> {
  const addresses = new Map<string, Use>()
  if (slack !== undefined) addresses.set(slack.webhookUrl, { what: 'the address', key: 'slack.webhook_url' })
  for (const { environments } of repositories.values())
    for (const { repository, name, slack: own } of environments.values())
      if (own !== undefined && !addresses.has(own.webhookUrl)) {
        const what = `the address of ${repository} ${name}`
        addresses.set(own.webhookUrl, { what, key: 'notify.slack.webhook_url' })
      }
  return addresses
}

/** Slack answers a message without text with `no_text` where the address is right, and posts nothing. */
async function checkAddress(url: string, { what, key }: Use): Promise<Finding> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    const answer = (await response.text()).slice(0, 100).replaceAll(/[^\w .-]/g, '')
    if (response.status === 400 && /no_text|missing_text|invalid_payload/.test(answer))
      return fine(`Slack: ${what} takes messages`)
    return wrong(
      `Slack: ${what} answers ${response.status} ${answer}`,
      `Make a new incoming webhook and set ${key}.`,
    )
  } catch (thrown) {
    return wrong(`Slack: ${what} does not answer${reasonIn(thrown)}`, `Check ${key} and the network.`)
  }
}

/** ` (ENOTFOUND)`: the system's word alone, since what else is said may hold the address, which is a secret. */
function reasonIn(thrown: unknown): string {
  const { name, cause } = Object(thrown) as { readonly name?: unknown; readonly cause?: unknown }
  if (name === 'TimeoutError') return ` within ${TIMEOUT_MS / 1000} s`
  const { code } = Object(cause) as { readonly code?: unknown }
  return typeof code === 'string' ? ` (${code})` : ''
}
