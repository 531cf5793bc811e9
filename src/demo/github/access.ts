import { notFound, refusal } from './answers.ts'
import { appSpeaking } from './apps.ts'
import {
  repositoryCalled,
  userCalled,
  type App,
  type GitHubState,
  type Level,
  type Repository,
  type Token,
  type User,
} from './state.ts'

/** What a route asks of a token: one of the classic scopes, or the permission. */
export interface Right {
  readonly permission: string
  readonly level: Level
  readonly scopes: readonly string[]
}

/** Who asks. An anonymous caller has no token; nor has an App that speaks for itself. */
export type Caller =
  | { readonly user: User; readonly token: Token; readonly app?: undefined }
  | { readonly user: undefined; readonly token: undefined; readonly app?: App }

/** The caller behind an Authorization header: of a token, or of the word of an App. What is unknown or has expired is refused. */
export function identify(state: GitHubState, authorization: string | undefined): Caller {
  if (authorization === undefined) return { user: undefined, token: undefined }
  const [, value] = /^(?:token|bearer)\s+(\S+)$/i.exec(authorization) ?? []
  const token = value === undefined ? undefined : state.tokens.get(value)
  const app =
    token === undefined && /^bearer /i.test(authorization) ? appSpeaking(state, value ?? '') : undefined
  if (app !== undefined) return { user: undefined, token: undefined, app }
  if (token === undefined || (token.expiresAt ?? Infinity) <= state.clock())
    throw refusal(401, 'Bad credentials')
  return { user: userCalled(state, token.login), token }
}

/** The headers that say what the token can do and what this route wanted. */
export function accessHeaders({ token }: Caller, right: Right | undefined): Record<string, string> {
  return {
    ...(token?.type === 'classic'
      ? {
          'x-oauth-scopes': token.scopes.join(', '),
          'x-accepted-oauth-scopes': right?.scopes.join(', ') ?? '',
        }
      : {}),
    ...(token !== undefined && token.type !== 'classic' && right !== undefined
      ? { 'x-accepted-github-permissions': `${right.permission}=${right.level}` }
      : {}),
    ...(token?.expiresAt === undefined
      ? {}
      : {
          'github-authentication-token-expiration': `${new Date(token.expiresAt).toISOString().slice(0, 19).replace('T', ' ')} UTC`,
        }),
  }
}

/** The repository, if this caller may know of it and do this there. GitHub hides what a caller may not see behind a 404. */
export function enter(state: GitHubState, caller: Caller, name: string, right: Right): Repository {
  const repository = repositoryCalled(state, name)
  if (repository === undefined || !canSee(caller, repository, right)) throw notFound()
  if (!repository.isPrivate && right.level === 'read') return repository
  if (caller.token === undefined) throw refusal(401, 'Requires authentication')
  if (hasRight(caller.token, repository, right)) return repository
  if (caller.token.type === 'classic') throw notFound()
  throw refusal(
    403,
    `Resource not accessible by ${caller.token.type === 'app' ? 'integration' : 'personal access token'}`,
  )
}

function canSee({ token }: Caller, repository: Repository, { scopes }: Right): boolean {
  if (!repository.isPrivate) return true
  if (token === undefined || !reaches(token, repository)) return false
  return token.type !== 'classic' || token.scopes.some((scope) => scope === 'repo' || scopes.includes(scope))
}

function hasRight(token: Token, repository: Repository, { permission, level, scopes }: Right): boolean {
  if (!reaches(token, repository)) return false
  if (token.type === 'classic') {
    const accepted = repository.isPrivate ? scopes : [...scopes, 'public_repo']
    return token.scopes.some((scope) => accepted.includes(scope))
  }
  const granted = permission === 'metadata' ? 'read' : token.permissions[permission]
  return granted === 'write' || granted === level
}

function reaches({ repositories }: Token, { owner, name, formerNames }: Repository): boolean {
  const names = [`${owner}/${name}`, ...formerNames].map((one) => one.toLowerCase())
  return repositories === undefined || repositories.some((one) => names.includes(one.toLowerCase()))
}
