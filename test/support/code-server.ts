import { mkdirSync, symlinkSync } from 'node:fs'
import { request as askOnward, type IncomingMessage, type ServerResponse } from 'node:http'
import { dirname, join } from 'node:path'

import { onTestFinished } from 'vitest'

import { bodyOf, listenOnLoopback } from '../../src/demo/loopback.ts'
import { answerGit, passwordIn } from './git-backend.ts'
import { temporaryFolder } from './running.ts'

export interface CodeServer {
  /** Without a slash at the end; that of the API as well. */
  readonly url: string
  /** The passwords with which git was let in or not, oldest first; undefined where there was none. */
  readonly shown: readonly (string | undefined)[]
}

interface CodeServerParts {
  /** The bare repositories by `owner/name`. */
  readonly repositories: Readonly<Record<string, string>>
  /** Where the API is; read for each request. */
  api(): string
  /** Whether a token opens the repositories. */
  opens(token: string): boolean
  /** Awaited before git is answered that has shown this token. */
  beforeAnswer?(token: string): Promise<void>
}

/** Serves git over HTTP as GitHub does, at the same origin as its API. It is gone after the test. */
export async function startCodeServer(parts: CodeServerParts): Promise<CodeServer> {
  const root = temporaryFolder()
  for (const [name, folder] of Object.entries(parts.repositories)) {
    mkdirSync(dirname(join(root, name)), { recursive: true })
    symlinkSync(folder, join(root, `${name}.git`))
  }
  const shown: (string | undefined)[] = []
  const server = await listenOnLoopback(0, async (request, response) => {
    const body = await bodyOf(request)
    if (!/^\/[^/]+\/[^/]+\.git\//.test(request.url ?? '')) return passOn(request, response, body, parts.api())
    const token = passwordIn(request)
    shown.push(token)
    if (token !== undefined) await parts.beforeAnswer?.(token)
    if (token === undefined || !parts.opens(token))
      response.writeHead(401, { 'www-authenticate': 'Basic realm="GitHub"' }).end()
    else await answerGit(root, request, response, body)
  })
  onTestFinished(server.close)
  return { url: server.origin, shown }
}

async function passOn(
  request: IncomingMessage,
  response: ServerResponse,
  body: Buffer,
  api: string,
): Promise<void> {
  const onward = await new Promise<IncomingMessage>((resolve, reject) => {
    const headers = { ...request.headers, host: new URL(api).host }
    const asking = askOnward(
      `${api}${request.url}`,
      { method: request.method, headers, agent: false },
      resolve,
    )
    asking.once('error', reject).end(body)
  })
  response.writeHead(onward.statusCode ?? 502, onward.headers).end(await bodyOf(onward))
}
