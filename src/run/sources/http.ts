import { open } from 'node:fs/promises'

import { messageOf } from '../../errors.ts'
import { ReleaseFailure, sayDisk } from './failure.ts'

/** What an answer may take. */
export interface HttpLimits {
  readonly bytes: number
  /** Until the answer begins. */
  readonly answerMs: number
  /** Between two pieces of it. */
  readonly quietMs: number
}

export const HTTP_LIMITS: HttpLimits = { bytes: 4 * 1024 ** 3, answerMs: 60_000, quietMs: 60_000 }
const MOST_REDIRECTS = 5

/** One thing to ask for. */
export interface Asking {
  readonly url: string
  /** Only for that address: none is sent to where it may lead. */
  readonly headers: Readonly<Record<string, string>>
  /** What people may read of it. */
  readonly name: string
  readonly signal: AbortSignal
  readonly limits?: HttpLimits
  readonly mayRedirect: boolean
  /** Says more about a refusal than its status does. */
  readonly explain?: (response: Response) => Promise<string>
}

/** What was downloaded. */
export interface Downloaded {
  /** The ETag, else when it was changed and how long it is; undefined where the server tells neither. */
  readonly version: string | undefined
  readonly bytes: number
}

/** An address of an archive: what to send there, and what people may read of it. */
export function readAddress(address: string): Pick<Asking, 'url' | 'headers' | 'name'> {
  const url = new URL(address)
  const { username, password } = url
  url.username = ''
  url.password = ''
  url.hash = ''
  const given = `${decoded(username)}:${decoded(password)}`
  const isOpen = username === '' && password === ''
  const headers: Record<string, string> = isOpen
    ? {}
    : { authorization: `Basic ${Buffer.from(given).toString('base64')}` }
  return { url: url.href, headers, name: nameOf(url, isOpen) }
}

/** A sign that begins no escape stands for itself, as people write it. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** Without what may be secret in it: who asks, and its query. */
const nameOf = ({ protocol, host, pathname, search }: URL, isOpen = true): string =>
  `${protocol}//${isOpen ? '' : '*****:*****@'}${host}${pathname}${search === '' ? '' : '?…'}`

/**
 * Downloads into a new file. Only a whole answer with status 200 counts; all else throws a `ReleaseFailure` that says
 * what came instead, and leaves the file to the caller. Redirects are followed to https alone, and take nothing along of who asked here.
 */
export async function download(asking: Asking, file: string): Promise<Downloaded> {
  const { name, signal, limits = HTTP_LIMITS } = asking
  const response = await ask('GET', asking)
  const length = lengthOf(response)
  if (length !== undefined && length > limits.bytes) {
    await response.body?.cancel()
    throw tooLarge(name, limits)
  }
  const bytes = await keep(response, file, { name, signal, limits })
  if (bytes === 0) throw new ReleaseFailure('source_refused', `${name} is empty.`)
  return { version: versionOf(response), bytes }
}

/** Asks which version is there, without its content; undefined where the server does not tell. */
export async function askVersion(asking: Asking): Promise<string | undefined> {
  const response = await ask('HEAD', asking)
  await response.body?.cancel()
  if (isFresh(response))
    throw new ReleaseFailure(
      'source_unavailable',
      `${asking.name} has no ETag and was changed in the second in which it was asked for: it may be changing still; nothing was changed.`,
    )
  return versionOf(response)
}

/** Where HEAD is refused so, GET may be answered: the server does not know it, or the address is signed for GET alone. */
const HEAD_REFUSED: readonly number[] = [403, 405, 501]

/** A strong and a weak ETag name the same version; a proxy may make one of the other. */
function versionOf({ headers }: Response): string | undefined {
  const etag = etagOf(headers)
  if (etag !== '') return etag
  const changed = headers.get('last-modified')
  const length = headers.get('content-length')
  return changed === null ? undefined : `${changed}, ${length ?? '?'} bytes`
}

const etagOf = (headers: Headers): string =>
  (headers.get('etag') ?? '').replace(/^W\//, '').replaceAll('"', '')

/** Whether another version may have the same date, which then tells nothing: RFC 9110, 8.8.2.2. What a cache has kept is older. */
const isFresh = ({ headers }: Response): boolean =>
  etagOf(headers) === '' &&
  headers.has('date') &&
  headers.get('date') === headers.get('last-modified') &&
  (headers.get('age') ?? '0') === '0'

function lengthOf({ headers }: Response): number | undefined {
  const given = headers.get('content-length')
  return given !== null && /^\d{1,15}$/.test(given) ? Number(given) : undefined
}

const tooLarge = (name: string, { bytes }: HttpLimits): ReleaseFailure =>
  new ReleaseFailure('source_refused', `${name} is larger than ${bytes} bytes, which are the limit.`)

async function ask(wanted: 'GET' | 'HEAD', asking: Asking): Promise<Response> {
  let { url, headers, name } = asking
  let method = wanted
  for (let redirects = 0; ; redirects += 1) {
    const response = await send(method, { ...asking, url, headers, name })
    if (method === 'HEAD' && asking.mayRedirect && HEAD_REFUSED.includes(response.status)) {
      method = 'GET'
      continue
    }
    const to = response.headers.get('location')
    if (!asking.mayRedirect || to === null || ![301, 302, 303, 307, 308].includes(response.status))
      return seeOk(response, { ...asking, name })
    await response.body?.cancel()
    if (redirects === MOST_REDIRECTS)
      throw new ReleaseFailure('source_unavailable', `${name} leads on again and again; nothing was changed.`)
    const next = URL.parse(to, url)
    if (next?.protocol !== 'https:')
      throw new ReleaseFailure(
        'source_refused',
        `${name} leads to ${next === null ? 'no address' : readAddress(next.href).name}, and only https is followed; nothing was changed.`,
      )
    ;({ url, headers, name } = readAddress(next.href)) // who asks there, only that address says
  }
}

async function send(method: string, { url, headers, name, signal, limits = HTTP_LIMITS }: Asking) {
  const tooLong = new AbortController()
  const timer = setTimeout(() => tooLong.abort(), limits.answerMs)
  try {
    return await fetch(url, {
      method,
      redirect: 'manual',
      // Packed once more, its length would say nothing.
      headers: { ...headers, 'accept-encoding': 'identity', 'user-agent': 'ferryman' },
      signal: AbortSignal.any([signal, tooLong.signal]),
    })
  } catch (thrown) {
    signal.throwIfAborted()
    const why = tooLong.signal.aborted ? `within ${limits.answerMs / 1000} s` : `(${causeIn(thrown)})`
    throw new ReleaseFailure(
      'source_unavailable',
      `${name} does not answer ${why}; nothing was changed.`,
      thrown,
    )
  } finally {
    clearTimeout(timer)
  }
}

async function seeOk(response: Response, { name, explain }: Asking): Promise<Response> {
  const { status, statusText } = response
  const encoding = response.headers.get('content-encoding') ?? 'identity'
  if (status === 200 && encoding === 'identity') return response
  const more = status === 200 ? '' : ((await explain?.(response)) ?? '')
  await response.body?.cancel().catch(() => {}) // it may be at its end
  if (status === 200)
    throw new ReleaseFailure('source_refused', `${name} came as ${JSON.stringify(encoding)}, unasked.`)
  const said = [`${status} ${statusText}`.trim(), more].filter((part) => part !== '').join(': ')
  throw new ReleaseFailure('source_unavailable', `${name} answered ${said}; nothing was changed.`)
}

/** What went wrong below `fetch`, in the system's own words. */
export function causeIn(thrown: unknown): string {
  const cause: unknown = thrown instanceof Error ? thrown.cause : undefined
  const code: unknown = Reflect.get(Object(cause), 'code')
  return typeof code === 'string' && messageOf(cause) === '' ? code : messageOf(cause ?? thrown)
}

/** Writes the body to the file as it comes; answers how long it is. */
async function keep(
  response: Response,
  file: string,
  { name, signal, limits }: Required<Pick<Asking, 'name' | 'signal' | 'limits'>>,
): Promise<number> {
  const out = await open(file, 'wx', 0o600).catch((thrown: unknown) => sayDisk(thrown, file))
  const length = lengthOf(response)
  let bytes = 0
  try {
    for await (const chunk of withoutPauses(response, limits.quietMs)) {
      bytes += chunk.length
      if (bytes > limits.bytes) throw tooLarge(name, limits)
      await out.write(chunk).catch((thrown: unknown) => sayDisk(thrown, file))
    }
    if (length !== undefined && bytes !== length) throw new Error('it is shorter than announced')
  } catch (thrown) {
    signal.throwIfAborted()
    if (thrown instanceof ReleaseFailure) throw thrown
    const of = length === undefined ? '' : ` of ${length}`
    const why = `${name} broke off after ${bytes}${of} bytes (${causeIn(thrown)}); nothing was changed.`
    throw new ReleaseFailure('source_unavailable', why, thrown)
  } finally {
    await out.close()
  }
  return bytes
}

/** The pieces of a body; throws when the next one does not come in time. */
async function* withoutPauses({ body }: Response, quietMs: number): AsyncGenerator<Uint8Array> {
  const reader = body?.getReader()
  if (reader === undefined) return
  try {
    for (;;) {
      const late = Promise.withResolvers<never>()
      const timer = setTimeout(() => late.reject(new Error(`nothing came for ${quietMs / 1000} s`)), quietMs)
      const { done, value } = await Promise.race([reader.read(), late.promise]).finally(() =>
        clearTimeout(timer),
      )
      if (done) return
      yield value as Uint8Array
    }
  } finally {
    await reader.cancel().catch(() => {}) // it may have broken off
  }
}
