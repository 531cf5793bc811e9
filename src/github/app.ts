import { sign } from 'node:crypto'
import { z } from 'zod'

import { read } from './answers.ts'
import { GitHubError, type AppView, type Installation } from './github.ts'
import type { Common, Requests } from './requests.ts'

export interface GitHubApp {
  /** GitHub's number of it. */
  readonly id: string
  /** RSA, in PEM. */
  readonly privateKey: string
}

export interface AppTokensParts extends Pick<Requests, 'ask' | 'request'> {
  readonly app: GitHubApp
  readonly clock: () => number
  /** Hears of every secret before it is used first; the answer is called when it is one no more. */
  readonly learn: (secret: string) => () => void
}

/** What an App shows to GitHub: its own word, or the token of the installation that covers a place. */
export interface AppTokens {
  /** For what GitHub asks of the App itself. */
  own(): string
  /** `place` is `/repos/owner/name` or `/orgs/owner`. Rejects with a 404 where the App is not installed. */
  of(place: string): Promise<string>
  /** GitHub has refused this token: the next one is new. */
  forget(token: string): void
}

interface Minted {
  readonly token: string
  readonly staleAt: number
}

/** A token lives for an hour; the last minutes are for what is under way, and for clocks that differ. */
const SPARE_MS = 5 * 60_000
const OWN_LIVES_MS = 5 * 60_000

const Installed = z
  .object({
    id: z.int().positive(),
    account: z.object({ login: z.string().optional(), slug: z.string().optional() }).nullish(),
    suspended_at: z.string().nullish(),
    permissions: z.record(z.string(), z.unknown()),
  })
  .transform(({ id, account, suspended_at, permissions }): Installation => ({
    id,
    account: account?.login ?? account?.slug ?? '',
    isSuspended: typeof suspended_at === 'string',
    permissions: Object.fromEntries(
      Object.entries(permissions).map(([name, level]) => [name, String(level)]),
    ),
  }))
const Self = z.object({ slug: z.string() })
const NewToken = z
  .object({ token: z.string().min(1), expires_at: z.iso.datetime({ offset: true }) })
  .transform(({ token, expires_at }): Minted => ({ token, staleAt: Date.parse(expires_at) - SPARE_MS }))

/**
 * Proves to GitHub that we are the App, and exchanges that for tokens of its installations, each minted once for
 * all who wait for it: https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app
 * Repositories of one owner are looked up one by one, since one of them may have moved to another owner.
 */
export function createAppTokens({ app, clock, learn, ask, request }: AppTokensParts): AppTokens {
  const look = (place: string) => installationAt(place, { app, ask, request })
  const installations = new Map<string, Promise<number>>()
  const minted = new Map<number, Minted>()
  const minting = new Map<number, Promise<Minted>>()
  const lendOwn = createLending(learn)
  const lendings = new Map<number, ReturnType<typeof createLending>>()
  let shown: { readonly word: string; readonly at: number } | undefined

  async function mint(installation: number): Promise<Minted> {
    const answer = await ask((common: Common) =>
      request('POST /app/installations/{installation_id}/access_tokens', {
        installation_id: installation,
        ...common,
      }),
    )
    const made = read(answer, NewToken, { what: 'a token', wanted: 201 })
    const lend = lendings.get(installation) ?? createLending(learn)
    lendings.set(installation, lend)
    lend(made.token)
    minted.set(installation, made)
    return made
  }

  async function tokenFor(place: string): Promise<string> {
    const installation = await once(installations, place, async () => (await look(place)).id)
    const known = minted.get(installation)
    if (known !== undefined && clock() < known.staleAt) return known.token
    const made = await once(minting, installation, () =>
      mint(installation).finally(() => minting.delete(installation)),
    )
    return made.token
  }

  return {
    own() {
      const now = clock()
      if (shown !== undefined && now >= shown.at && now < shown.at + OWN_LIVES_MS) return shown.word
      shown = { word: wordOf(app, now), at: now }
      lendOwn(shown.word)
      return shown.word
    },
    async of(place) {
      try {
        return await tokenFor(place)
      } catch (thrown) {
        // It was removed, and may have been installed anew, under another number.
        if (!isMissing(thrown) || !installations.delete(place)) throw thrown
        return tokenFor(place)
      }
    },
    forget(token) {
      for (const [installation, known] of minted) if (known.token === token) minted.delete(installation)
    },
  }
}

/** `GitHub.app`. */
export function viewOf(app: GitHubApp, { ask, request }: Pick<Requests, 'ask' | 'request'>): AppView {
  return {
    id: app.id,
    async slug() {
      const answer = await ask((common) => request('GET /app', { ...common }))
      return read(answer, Self, { what: 'an App' }).slug
    },
    installation: (repository) => installationAt(`/repos/${repository}`, { app, ask, request }),
  }
}

async function installationAt(
  place: string,
  { app, ask, request }: Pick<AppTokensParts, 'app' | 'ask' | 'request'>,
): Promise<Installation> {
  try {
    const answer = await ask((common) => request(`GET ${place}/installation`, { ...common }))
    return read(answer, Installed, { what: 'an installation' })
  } catch (thrown) {
    if (!isMissing(thrown)) throw thrown
    const where = place.split('/').slice(2).join('/')
    const message = `The GitHub App ${app.id} is not installed on ${where} (${thrown.message})`
    throw new GitHubError(message, thrown.status, thrown.headers, thrown)
  }
}

/** A JWT, RS256. GitHub takes none that is meant to live for more than ten minutes, or that was made later than its own clock says. */
function wordOf({ id, privateKey }: GitHubApp, now: number): string {
  const seconds = Math.floor(now / 1000)
  const claims = { iat: seconds - 60, exp: seconds + 9 * 60, iss: Number(id) }
  const text = [{ alg: 'RS256', typ: 'JWT' }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  return `${text}.${sign('RSA-SHA256', Buffer.from(text), privateKey).toString('base64url')}`
}

/** One answer for all who ask, now and later; a failure is only theirs who wait for it. */
function once<Key, Value>(
  known: Map<Key, Promise<Value>>,
  key: Key,
  make: () => Promise<Value>,
): Promise<Value> {
  const before = known.get(key)
  if (before !== undefined) return before
  const made = make()
  known.set(key, made)
  made.catch(() => known.get(key) === made && known.delete(key))
  return made
}

/** Of secrets that follow one another the last two count: what was sent with the one before may still be under way. */
function createLending(learn: AppTokensParts['learn']): (secret: string) => void {
  const releases: (() => void)[] = []
  return (secret) => {
    releases.push(learn(secret))
    if (releases.length > 2) releases.shift()?.()
  }
}

const isMissing = (thrown: unknown): thrown is GitHubError =>
  thrown instanceof GitHubError && thrown.status === 404
