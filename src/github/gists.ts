import { z } from 'zod'

import { read } from './answers.ts'
import type { TokenFacts, WantedGist } from './github.ts'
import { scopesIn, type Requests } from './requests.ts'

const Gist = z.object({
  public: z.literal(false),
  html_url: z.string().regex(/^https?:\/\/[^\s<>|]{1,1000}$/),
})
const User = z.object({ login: z.string().min(1).max(100) })

/** `GitHub.createGist`. */
export async function createGist(
  { rest, ask }: Requests,
  { description, file, content }: WantedGist,
): Promise<string> {
  const answer = await ask((common) =>
    rest.gists.create({ description, public: false, files: { [file]: { content } }, ...common }),
  )
  return read(answer, Gist, { what: 'the secret gist that was made', wanted: 201 }).html_url
}

/** `GitHub.tokenFacts`. */
export async function tokenFacts({ rest, ask }: Requests): Promise<TokenFacts> {
  const answer = await ask((common) => rest.users.getAuthenticated({ ...common }))
  return { login: read(answer, User, { what: 'the user of the token' }).login, scopes: scopesIn(answer) }
}
