import type { GitHubError, MadeDeployment } from './github.ts'

/** A deployment as GitHub describes it; undefined where that is none. */
export function madeOf(data: unknown): MadeDeployment | undefined {
  const { id, url, creator, payload } = Object(data) as Record<string, unknown>
  if (!Number.isSafeInteger(id)) return undefined
  const { login, avatar_url: avatar } = Object(creator) as Record<string, unknown>
  return {
    githubId: id as number,
    apiUrl: textOf(url),
    creator: textOf(login) || 'ghost', // GitHub sends null for a deleted account
    creatorAvatar: textOf(avatar),
    payload: typeof payload === 'string' ? parsed(payload) : payload,
  }
}

const MOST_CONTEXTS = 1_000

/** What a 409 holds against a deployment: `errors[].contexts[]`, each once. */
export function contextsOf(data: unknown): GitHubError['contexts'] {
  const errors: unknown = Reflect.get(Object(data), 'errors')
  if (!Array.isArray(errors)) return []
  const found = errors
    .flatMap((error: unknown) => Reflect.get(Object(error), 'contexts') as unknown)
    .slice(0, MOST_CONTEXTS)
    .flatMap((one: unknown) => {
      const { context, state } = Object(one) as Record<string, unknown>
      return typeof context === 'string' && typeof state === 'string' ? [{ context, state }] : []
    })
  return [...new Map(found.map((one) => [`${one.context}\n${one.state}`, one])).values()]
}

const MOST_CHARACTERS = 300

export const firstLineOf = (message: string): string =>
  (message.split('\n')[0] ?? '').slice(0, MOST_CHARACTERS)

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
