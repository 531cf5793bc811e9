import { Readable } from 'node:stream'

import { causeIn, type Asking } from './http.ts'

/** What is sent, piece by piece, as often as it has to be. */
export interface Content {
  readonly bytes: number
  read(): AsyncIterable<Uint8Array>
}

/** Why something could not be put where it belongs. */
export class UploadFailure extends Error {
  /** It may work the next time. */
  readonly mayPass: boolean

  constructor(message: string, mayPass: boolean, cause?: unknown) {
    super(message, { cause })
    this.mayPass = mayPass
  }
}

/** Puts the content to an address; throws an `UploadFailure` where that was not taken. */
export async function upload(asking: Omit<Asking, 'limits'>, { bytes, read }: Content): Promise<void> {
  const { url, headers, name, signal, explain } = asking
  let response: Response
  try {
    response = await fetch(url, {
      method: 'PUT',
      redirect: 'manual',
      headers: { ...headers, 'content-length': String(bytes), 'user-agent': 'ferryman' },
      body: Readable.toWeb(Readable.from(read(), { objectMode: false })) as ReadableStream<Uint8Array>,
      duplex: 'half',
      signal,
    })
  } catch (thrown) {
    signal.throwIfAborted()
    throw new UploadFailure(`${name} does not answer (${causeIn(thrown)}).`, true, thrown)
  }
  const { ok, status, statusText } = response
  const more = ok ? '' : ((await explain?.(response)) ?? '')
  await response.body?.cancel().catch(() => {}) // it may be at its end
  if (ok) return
  const said = [`${status} ${statusText}`.trim(), more].filter((part) => part !== '').join(': ')
  throw new UploadFailure(`${name} answered ${said}.`, PASSING.has(status) || status >= 500)
}

const PASSING: ReadonlySet<number> = new Set([408, 429])
