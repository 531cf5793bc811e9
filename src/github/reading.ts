import { z } from 'zod'

import { read } from './answers.ts'
import type { GitHubApp } from './app.ts'
import { viewOf } from './app.ts'
import { placeOf, type GitHubOptions, type Requests } from './requests.ts'

const NewToken = z.object({ token: z.string().min(1), expires_at: z.iso.datetime({ offset: true }) })

/**
 * Tokens that open a repository for git, and nothing else: each is made anew, may only read, and reads one
 * repository, or all that the installation covers.
 */
export function createReadingTokens(
  app: GitHubApp,
  { ask, request }: Requests,
  { learn = () => () => {}, clock = Date.now }: GitHubOptions,
) {
  const made: { readonly endsAt: number; readonly forget: () => void }[] = []
  return async (repository: string, { others }: { readonly others: boolean }): Promise<string> => {
    const { id } = await viewOf(app, { ask, request }).installation(repository)
    const answer = await ask((common) =>
      request('POST /app/installations/{installation_id}/access_tokens', {
        installation_id: id,
        ...(others ? {} : { repositories: [placeOf(repository).repo] }),
        permissions: { contents: 'read' },
        ...common,
      }),
    )
    const { token, expires_at } = read(answer, NewToken, { what: 'a token', wanted: 201 })
    made.push({ endsAt: Date.parse(expires_at), forget: learn(token) })
    while ((made[0]?.endsAt ?? Infinity) < clock()) made.shift()?.forget()
    return token
  }
}
