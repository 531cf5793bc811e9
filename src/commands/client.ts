import type { IncomingMessage } from 'node:http'

import { findDataDir } from '../config/data-dir.ts'
import { FerrymanError, messageOf, problem, PROBLEMS, type ProblemCode } from '../errors.ts'
import { callingUser } from '../user.ts'
import { withShortPath } from '../web/socket.ts'

// An import of node:http, which has WebSocket, loads all of fetch at once: 60 ms that nobody needs to wait.
const { request } = process.getBuiltinModule('node:http')

/** Options of every command that talks to a running server. */
export const SERVER_OPTIONS = {
  config: { type: 'string', short: 'c' },
  'data-dir': { type: 'string' },
} as const

/** What `--help` says of them. */
export const SERVER_OPTIONS_HELP = `  -c, --config FILE      the configuration of the server; else FERRYMAN_CONFIG, ./config.yml, /etc/ferryman/config.yml
      --data-dir FOLDER  its data directory, instead of the one that the configuration names`

/** Which server is meant. */
export interface ServerChoice {
  readonly config: string | undefined
  readonly dataDir: string | undefined
}

export interface Question {
  readonly method: 'GET' | 'POST'
  /** From `/api` on, with its query. */
  readonly path: string
  readonly body?: object
  /** By which a wish is known again when it is sent once more. */
  readonly key?: string
  /** Nobody waits for the answer any more. */
  readonly signal?: AbortSignal
}

const TIMEOUT_MS = 60_000

/** The data directory of that server; throws like `findDataDir`, and says how to do without its configuration. */
export function dataDirOf(choice: ServerChoice): string {
  try {
    return findDataDir({ ...choice, environment: process.env, cwd: process.cwd() })
  } catch (thrown) {
    if (!(thrown instanceof FerrymanError)) throw thrown
    throw Object.assign(thrown, { hint: `${thrown.hint}\n  ${WITHOUT_CONFIG}` })
  }
}

/** Somebody may have to cancel what runs while the file cannot be read. */
const WITHOUT_CONFIG =
  'Or name the data directory of the running server, as with --data-dir /var/lib/ferryman/data: then no configuration is read.'

/**
 * Asks the running server through the socket in its data directory, in the name of whoever is logged in; answers
 * what it said. Throws `server_not_running`, `server_silent`, `server_forbidden`, `server_differs`, or the server's own
 * problem.
 */
export async function askServer(choice: ServerChoice, question: Question): Promise<Buffer> {
  const directory = dataDirOf(choice)
  const { status, body } = await withShortPath(directory, (path) => send(path, question)).catch(
    (cause: unknown) => {
      throw unreachable(directory, cause)
    },
  )
  if (status < 300) return body
  throw problemIn(status, body.toString(), { directory, question })
}

/** Whether nobody answered, who may do so later: the server, or its database. */
export const isAway = (thrown: unknown): thrown is FerrymanError =>
  thrown instanceof FerrymanError && AWAY.has(thrown.code)
const AWAY: ReadonlySet<ProblemCode> = new Set(['server_not_running', 'server_silent', 'database_away'])

/** The same, where the answer is JSON. */
export const askForJson = async (choice: ServerChoice, question: Question): Promise<unknown> =>
  JSON.parse((await askServer(choice, question)).toString())

/**
 * Asks for what may take as long as it takes, and hands on what comes, piece by piece; answers the trailers behind it.
 * Throws like `askServer`, and `server_silent` when it breaks off.
 */
export async function readAlong(
  choice: ServerChoice,
  question: Question,
  show: (bytes: Buffer) => Promise<void>,
): Promise<Readonly<Record<string, string | undefined>>> {
  const directory = dataDirOf(choice)
  try {
    const response = await withShortPath(directory, (path) => open(path, question))
    const status = response.statusCode ?? 500
    if (status >= 300) throw problemIn(status, (await whole(response)).toString(), { directory, question })
    for await (const chunk of response) await show(chunk as Buffer)
    return response.trailers
  } catch (thrown) {
    throw thrown instanceof FerrymanError ? thrown : unreachable(directory, thrown)
  }
}

async function send(path: string, question: Question): Promise<{ status: number; body: Buffer }> {
  const { signal: unwanted } = question
  const late = AbortSignal.timeout(TIMEOUT_MS)
  const signal = unwanted === undefined ? late : AbortSignal.any([late, unwanted])
  const response = await open(path, { ...question, signal })
  return { status: response.statusCode ?? 500, body: await whole(response) }
}

async function whole(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

function open(path: string, { method, path: url, body, key, signal }: Question): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? undefined : JSON.stringify(body)
    const asking = request({
      socketPath: path,
      method,
      path: url,
      headers: {
        host: 'localhost',
        'ferryman-person': encodeURIComponent(callingUser(process.env)),
        ...(key === undefined ? {} : { 'idempotency-key': key }),
        ...(text === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
      },
      ...(signal === undefined ? {} : { signal }),
    })
    asking.once('error', reject)
    asking.once('response', resolve)
    asking.end(text)
  })
}

function unreachable(directory: string, cause: unknown): FerrymanError {
  const { code, syscall } = Object(cause) as NodeJS.ErrnoException
  if (code === 'EACCES' || code === 'EPERM') return problem('server_forbidden', { directory }, cause)
  const isLate = Reflect.get(Object(Object(cause).cause), 'name') === 'TimeoutError'
  const words = isLate ? `nothing came within ${TIMEOUT_MS / 1000} s` : messageOf(cause)
  // One that is at a standstill has no room for those who wait: EAGAIN.
  const isAbsent = ['connect', 'open'].includes(syscall ?? '') && code !== 'EAGAIN'
  if (!isAbsent) return problem('server_silent', { directory, cause: words }, cause)
  const isNobody = code === 'ENOENT' || code === 'ECONNREFUSED'
  return problem('server_not_running', { directory, cause: isNobody ? 'nobody listens there' : words }, cause)
}

/** What the server said is wrong, in its own words. */
function problemIn(
  status: number,
  text: string,
  { directory, question: { path } }: { readonly directory: string; readonly question: Question },
): FerrymanError {
  const { error, message = text.slice(0, 500), hint = '' } = fieldsOf(text)
  if (error === 'path_unknown')
    return problem('server_differs', { directory, path: path.split('?')[0] ?? '' })
  if (error === undefined || !Object.hasOwn(PROBLEMS, error))
    return problem('server_refused', { status: String(status), message, hint })
  return Object.assign(new FerrymanError(error as ProblemCode, {}), { message, hint })
}

function fieldsOf(text: string): { error?: string; message?: string; hint?: string } {
  try {
    return Object(JSON.parse(text)) as ReturnType<typeof fieldsOf>
  } catch {
    return {}
  }
}
