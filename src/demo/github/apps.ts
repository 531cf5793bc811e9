import { randomBytes, verify } from 'node:crypto'

import { refusal, type Answer } from './answers.ts'
import { existing, type Asked, type Outcome, type Route } from './routes.ts'
import { appShape, htmlUrl, timeText, userShape } from './shapes.ts'
import {
  repositoryCalled,
  userCalled,
  type App,
  type GitHubState,
  type Installation,
  type Level,
} from './state.ts'

const HOUR_MS = 3_600_000

export const appRoutes: readonly Route[] = [
  {
    method: 'GET',
    template: '/app',
    answer: (asked) => ({ status: 200, body: appShape(asked.state, appBehind(asked).slug) }),
  },
  { method: 'GET', template: '/repos/{owner}/{repo}/installation', answer: installationOfRepository },
  { method: 'GET', template: '/orgs/{org}/installation', answer: installationOfOrganization },
  { method: 'POST', template: '/app/installations/{installation_id}/access_tokens', answer: mint },
]

/** The public half of its key is all that GitHub keeps. */
export function addApp(state: GitHubState, slug: string, publicKey: string): App {
  const { id } = userCalled(state, `${slug}[bot]`)
  const app: App = { id, slug, publicKey, installations: [] }
  state.apps.set(id, app)
  return app
}

export interface NewInstallation {
  readonly account: string
  /** `owner/name`; all that the account has when left out. */
  readonly repositories?: readonly string[]
  readonly permissions: Readonly<Record<string, Level>>
}

export function install(state: GitHubState, app: App, given: NewInstallation): Installation {
  const installation: Installation = { id: state.nextId(), isSuspended: false, ...given }
  app.installations.push(installation)
  return installation
}

export function uninstall({ tokens }: GitHubState, app: App, { id }: Installation): void {
  app.installations.splice(0, app.installations.length, ...app.installations.filter((one) => one.id !== id))
  for (const [token, { type, installation }] of tokens)
    if (type === 'app' && installation === id) tokens.delete(token)
}

/** The App whose word this is: https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app */
export function appSpeaking({ apps, clock }: GitHubState, word: string): App | undefined {
  const parts = word.split('.')
  const [header, claims, signature] = parts
  if (parts.length !== 3 || header === undefined || claims === undefined || signature === undefined)
    return undefined
  const { alg, iat, exp, iss } = { ...decoded(header), ...decoded(claims) }
  if (alg !== 'RS256') throw undecodable()
  const app = apps.get(Number(iss))
  if (app === undefined) throw refusal(404, 'Integration not found')
  const isGenuine = verify(
    'RSA-SHA256',
    Buffer.from(`${header}.${claims}`),
    app.publicKey,
    Buffer.from(signature, 'base64url'),
  )
  if (!isGenuine) throw undecodable()
  const now = clock() / 1000
  if (typeof iat !== 'number' || iat > now)
    throw refusal(
      401,
      "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
    )
  if (typeof exp !== 'number' || exp <= now)
    throw refusal(
      401,
      "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires",
    )
  if (exp > now + 600) throw refusal(401, "'Expiration time' claim ('exp') is too far in the future")
  return app
}

const undecodable = () => refusal(401, 'A JSON web token could not be decoded')

function decoded(part: string): Record<string, unknown> {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>
  } catch {
    throw undecodable()
  }
}

/** Only an App may ask that, with its own word. */
export function appBehind({ caller }: Asked): App {
  if (caller.app === undefined) throw undecodable()
  return caller.app
}

function installationOfRepository(asked: Asked): Outcome {
  const app = appBehind(asked)
  const name = `${asked.param('owner')}/${asked.param('repo')}`
  const repository = existing(repositoryCalled(asked.state, name))
  const current = `${repository.owner}/${repository.name}`
  const found = app.installations.find((one) =>
    covers(asked.state, one).some((other) => isSame(other, current)),
  )
  return shapeOf(asked.state, app, existing(found))
}

function installationOfOrganization(asked: Asked): Outcome {
  const app = appBehind(asked)
  const found = app.installations.find(({ account }) => isSame(account, asked.param('org')))
  return shapeOf(asked.state, app, existing(found))
}

function mint(asked: Asked): Outcome {
  const { state, param } = asked
  const app = appBehind(asked)
  const installation = existing(app.installations.find(({ id }) => String(id) === param('installation_id')))
  if (installation.isSuspended) throw refusal(403, 'This installation has been suspended')
  const token = newToken(app)
  const expiresAt = state.clock() + HOUR_MS
  const { permissions } = installation
  state.tokens.set(token, {
    type: 'app',
    login: `${app.slug}[bot]`,
    repositories: covers(state, installation),
    permissions,
    installation: installation.id,
    expiresAt,
  })
  return {
    status: 201,
    body: {
      token,
      expires_at: timeText(expiresAt),
      permissions: { metadata: 'read', ...permissions },
      repository_selection: installation.repositories === undefined ? 'all' : 'selected',
    },
  }
}

/** About 520 characters, with dots: https://github.blog/changelog of 2026-04-24 */
function newToken({ id }: App): string {
  const [head, body, tail] = [60, 150, 171].map((bytes) => randomBytes(bytes).toString('base64url'))
  return `ghs_${id}_${head}.${body}.${tail}`
}

const covers = ({ repositories }: GitHubState, { account, repositories: chosen }: Installation): string[] =>
  [...repositories.values()]
    .map(({ owner, name }) => `${owner}/${name}`)
    .filter((name) =>
      chosen === undefined
        ? isSame(name.split('/')[0] ?? '', account)
        : chosen.some((one) => isSame(one, name)),
    )

const isSame = (one: string, other: string): boolean => one.toLowerCase() === other.toLowerCase()

function shapeOf(state: GitHubState, app: App, installation: Installation): Answer {
  const { id, account, permissions, isSuspended } = installation
  const url = `${state.url}/app/installations/${id}`
  const owner = userCalled(state, account, 'Organization')
  return {
    status: 200,
    body: {
      id,
      account: userShape(state, owner),
      repository_selection: installation.repositories === undefined ? 'all' : 'selected',
      access_tokens_url: `${url}/access_tokens`,
      repositories_url: `${state.url}/installation/repositories`,
      html_url: `${htmlUrl(state)}/organizations/${account}/settings/installations/${id}`,
      app_id: app.id,
      app_slug: app.slug,
      target_id: owner.id,
      target_type: owner.type,
      permissions: { metadata: 'read', ...permissions },
      events: ['deployment'],
      created_at: timeText(0),
      updated_at: timeText(0),
      single_file_name: null,
      suspended_by: isSuspended ? userShape(state, owner) : null,
      suspended_at: isSuspended ? timeText(state.clock()) : null,
    },
  }
}
