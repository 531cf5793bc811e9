import { createEmulator } from 'emulate'
import { onTestFinished } from 'vitest'

import type { Deployment } from '../../src/demo/github/state.ts'
import { startFront, type Front, type Passed } from './front.ts'
import { SECRET, serve, TOKEN, type Given, type Served, type World } from './journey.ts'
import { made } from './merging.ts'
import { freePort } from './needs.ts'

export interface EmulatedShop extends Served {
  /** Everything between Ferryman and GitHub. */
  readonly passed: Front['passed']
  /** Asks emulate as mona, past the front; throws unless it says 2xx. */
  ask(method: string, path: string, body?: object): Promise<unknown>
  /** Opens a pull request with one commit; answers its number. */
  open(title: string): Promise<number>
  /** Merges it; answers the commit that came of it. */
  merge(number: number, method?: string): Promise<string>
  /** Begins a check of the commit; answers its id. */
  check(sha: string, name: string): Promise<number>
  conclude(check: number, conclusion: 'success' | 'failure'): Promise<unknown>
  /** Resolves when Ferryman has answered a delivery, `check_run completed` for one. */
  delivered(what: string): Promise<Passed>
  /** Resolves with the deployment that Ferryman made for the commit. */
  made(sha: string): Promise<Deployment>
}

interface EmulatedGiven extends Given {
  /** What the webhook is for; everything when left out. */
  readonly events?: readonly string[]
}

const SHOP = '/repos/acme/shop'
const MONA = 'ghp_monas'

/**
 * A shop at emulate, an independent emulator of GitHub: the repository, its pull requests, its checks and the
 * signed deliveries are emulate's own. It answers 404 to deployments and commit statuses: those are our double's.
 * Its `X-GitHub-Delivery` is a counter, and its check runs name no app (`null`, which GitHub's description allows).
 */
export async function openEmulatedShop({
  events = ['*'],
  ...given
}: EmulatedGiven = {}): Promise<EmulatedShop> {
  const emulate = await startEmulate()
  const ask = asMona(emulate)
  const addresses = { emulate, double: '', ferryman: '' }
  let front: Front | undefined
  const served = await serve({
    ...given,
    async prepare(world) {
      world.github.addToken(TOKEN, { login: 'ferryman-robot', type: 'classic', scopes: ['repo'] })
      addresses.double = world.github.url
      front = await startFront({ addresses, beforeDouble: () => copyCommits(ask, world) })
      const github = { webhook_secret: SECRET, token: TOKEN, api_url: front.url }
      world.writeConfig({ ...given, config: { catch_up: 'off', ...given.config, github } })
    },
  })
  if (front === undefined) throw new Error('The server was started without its GitHub.')
  const { url, passed } = front
  addresses.ferryman = served.address
  await served.waitForJournal((line) => line.includes('environment:first-seen'))
  const config = { url: `${url}/webhooks/github`, content_type: 'json', secret: SECRET }
  await ask('POST', `${SHOP}/hooks`, { config, events })
  // The getters of what is served must stay getters.
  return Object.defineProperties({} as EmulatedShop, {
    ...Object.getOwnPropertyDescriptors(served),
    ...Object.getOwnPropertyDescriptors({
      passed,
      ask,
      open: (title: string) => open(ask, title),
      merge: async (number: number, method = 'merge') =>
        textIn(await ask('PUT', `${SHOP}/pulls/${number}/merge`, { merge_method: method }), 'sha'),
      check: async (sha: string, name: string) =>
        numberIn(
          await ask('POST', `${SHOP}/check-runs`, { name, head_sha: sha, status: 'in_progress' }),
          'id',
        ),
      conclude: (check: number, conclusion: string) =>
        ask('PATCH', `${SHOP}/check-runs/${check}`, { status: 'completed', conclusion }),
      delivered: (what: string) => passed.waitFor(({ delivery }) => delivery === what, 15_000),
      made: (sha: string) => made(served, sha),
    } satisfies Partial<EmulatedShop>),
  })
}

/** Emulate's GitHub with the private repository acme/shop, mona and the robot; it is ended after the test. */
async function startEmulate(): Promise<string> {
  const port = await freePort()
  const people = ['mona', 'ferryman-robot']
  // It numbers repositories from 1 on; ours has the number that it has at the double.
  const others = Array.from({ length: 16 }, (_, at) => ({ owner: 'acme', name: `other-${at + 1}` }))
  const emulator = await createEmulator({
    service: 'github',
    port,
    seed: {
      tokens: {
        [TOKEN]: { login: 'ferryman-robot', scopes: ['repo'] },
        [MONA]: { login: 'mona', scopes: ['repo', 'admin:repo_hook'] },
      },
      github: {
        users: people.map((login) => ({ login })),
        orgs: [{ login: 'acme', members: people.map((login) => ({ login, role: 'admin' })) }],
        repos: [...others, { owner: 'acme', name: 'shop', private: true }],
      },
    },
  })
  onTestFinished(() => emulator.close())
  return `http://127.0.0.1:${port}`
}

type Ask = EmulatedShop['ask']

const asMona =
  (address: string): Ask =>
  async (method, path, body) => {
    const response = await fetch(`${address}${path}`, {
      method,
      headers: { authorization: `token ${MONA}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(5_000),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: emulate answered ${response.status} ${text}`)
    return text === '' ? undefined : (JSON.parse(text) as unknown)
  }

async function open(ask: Ask, title: string): Promise<number> {
  const main = await ask('GET', `${SHOP}/git/ref/heads/main`)
  const branch = title.toLowerCase()
  const sha = textIn(Reflect.get(Object(main), 'object'), 'sha')
  await ask('POST', `${SHOP}/git/refs`, { ref: `refs/heads/${branch}`, sha })
  const content = Buffer.from(title).toString('base64')
  await ask('PUT', `${SHOP}/contents/${branch}.html`, { message: title, content, branch })
  return numberIn(await ask('POST', `${SHOP}/pulls`, { title, head: branch, base: 'main' }), 'number')
}

/** What is on emulate's `main` becomes known to the double. */
async function copyCommits(ask: Ask, { github, repository }: World): Promise<void> {
  const newestFirst = (await ask('GET', `${SHOP}/commits?per_page=100`)) as readonly {
    readonly sha: string
    readonly commit: { readonly message: string }
  }[]
  const missing = newestFirst.filter(({ sha }) => !repository.commits.has(sha)).toReversed()
  github.addCommits(
    'acme/shop',
    missing.map(({ sha, commit: { message } }) => ({ sha, message })),
  )
}

function textIn(answer: unknown, key: string): string {
  const value: unknown = Reflect.get(Object(answer), key)
  if (typeof value !== 'string') throw new Error(`emulate answered without ${key}`)
  return value
}

function numberIn(answer: unknown, key: string): number {
  const value: unknown = Reflect.get(Object(answer), key)
  if (typeof value !== 'number') throw new Error(`emulate answered without ${key}`)
  return value
}
