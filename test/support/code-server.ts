import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, symlinkSync } from 'node:fs'
import { request as askOnward, type IncomingMessage, type ServerResponse } from 'node:http'
import { dirname, join } from 'node:path'

import { onTestFinished } from 'vitest'

import { bodyOf, listenOnLoopback } from '../../src/demo/loopback.ts'
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

function passwordIn({ headers }: IncomingMessage): string | undefined {
  const [, encoded] = /^Basic (\S+)$/.exec(headers.authorization ?? '') ?? []
  return encoded === undefined
    ? undefined
    : Buffer.from(encoded, 'base64')
        .toString()
        .replace(/^[^:]*:/, '')
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

/** By git-http-backend(1), which is a program of the CGI. */
async function answerGit(
  root: string,
  request: IncomingMessage,
  response: ServerResponse,
  body: Buffer,
): Promise<void> {
  const { pathname, search } = new URL(request.url ?? '', 'http://localhost')
  const programs = execFileSync('git', ['--exec-path'], { encoding: 'utf8' }).trim()
  const child = spawn(join(programs, 'git-http-backend'), {
    env: {
      PATH: process.env['PATH'],
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: pathname,
      QUERY_STRING: search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      CONTENT_LENGTH: String(body.length),
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'safe.directory',
      GIT_CONFIG_VALUE_0: '*',
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  child.stdin.on('error', () => {}).end(body)
  const chunks: Buffer[] = []
  for await (const chunk of child.stdout) chunks.push(chunk as Buffer)
  const whole = Buffer.concat(chunks)
  const end = whole.indexOf('\r\n\r\n')
  const headers = whole
    .subarray(0, end)
    .toString()
    .split('\r\n')
    .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)] as const)
  const status = Number(headers.find(([name]) => name === 'Status')?.[1].slice(0, 3) ?? 200)
  response.writeHead(status, Object.fromEntries(headers)).end(whole.subarray(end + 4))
}
