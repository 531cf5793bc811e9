import { hash } from 'node:crypto'

/** All answers together, and one of them, in bytes. */
const MOST_BYTES = 8_388_608
const MOST_BYTES_OF_ONE = 262_144

interface Kept {
  readonly tag: string
  readonly body: ArrayBuffer
  readonly headers: Headers
}

/**
 * A fetch that remembers what was answered to reading requests, and asks only whether that is still so: GitHub's
 * "not modified" costs nothing of the hourly budget
 * (https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api). Whoever asks gets the same
 * answer either way, with the headers of the last. Who sends a condition of his own is left alone. Answers are kept for
 * each token apart; the oldest that nobody asked for again make room.
 */
export function rememberAnswers(fetchThere: typeof fetch): typeof fetch {
  const kept = new Map<string, Kept>()
  let bytes = 0
  const forget = (key: string): void => {
    bytes -= kept.get(key)?.body.byteLength ?? 0
    kept.delete(key)
  }
  const keep = (key: string, one: Kept): void => {
    forget(key)
    kept.set(key, one)
    bytes += one.body.byteLength
    for (const [oldest] of kept) {
      if (bytes <= MOST_BYTES) break
      forget(oldest)
    }
  }

  return async (input, init) => {
    const headers = new Headers(init?.headers)
    const isReading = (init?.method ?? 'GET').toUpperCase() === 'GET' && typeof input === 'string'
    if (!isReading || headers.has('if-none-match')) return fetchThere(input, init)
    const key = hash(
      'sha256',
      `${headers.get('authorization')} ${headers.get('accept')} ${input}`,
      'base64url',
    )
    const known = kept.get(key)
    if (known !== undefined) headers.set('if-none-match', known.tag)
    const response = await fetchThere(input, { ...init, headers })
    if (known !== undefined && response.status === 304) {
      keep(key, known) // it is the newest now
      return answerOf(known, response)
    }
    const tag = response.headers.get('etag')
    if (response.status !== 200 || tag === null) return response
    const body = await response.arrayBuffer()
    const one = { tag, body, headers: response.headers }
    if (body.byteLength <= MOST_BYTES_OF_ONE) keep(key, one)
    else forget(key)
    return answerOf(one, response)
  }
}

/** What was answered before, with what is said of it now. */
function answerOf({ body, headers: before }: Kept, { headers: now, url }: Response): Response {
  const headers = new Headers(before)
  for (const [name, value] of now) headers.set(name, value)
  // What was unpacked has another length and no encoding any more.
  for (const name of ['content-length', 'content-encoding', 'transfer-encoding']) headers.delete(name)
  return Object.defineProperty(new Response(body, { status: 200, headers }), 'url', { value: url })
}
