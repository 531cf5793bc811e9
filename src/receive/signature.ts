import { isUtf8 } from 'node:buffer'
import { createHmac, timingSafeEqual } from 'node:crypto'

import { Webhooks } from '@octokit/webhooks'

/** A body whose signature is right, in one piece. */
interface Signed {
  readonly bytes: Buffer
  /** The same, decoded without loss. */
  readonly text: string
}

/** A body that came in pieces, when the signature in `X-Hub-Signature-256` is right for it; otherwise undefined. */
export type SignatureCheck = (pieces: readonly Buffer[], signature: string) => Promise<Signed | undefined>

const LARGE_BYTES = 256 * 1024

/**
 * Makes the check of signatures, in constant time. Any of the secrets may have signed, so that a secret can be
 * replaced without a gap. @octokit/webhooks has the word; it takes texts, and to join, decode and encode 25 MB of
 * a stranger's costs more than all else that is done for them, so that large bodies are looked at in their pieces first.
 */
export function createSignatureCheck(secrets: readonly string[]): SignatureCheck {
  const keys = secrets.map((secret) => new Webhooks({ secret }))
  return async (pieces, signature) => {
    const size = pieces.reduce((sum, { length }) => sum + length, 0)
    if (size === 0 || signature === '') return undefined // what octokit refuses to look at
    if (size > LARGE_BYTES && !mayBeSigned(pieces, signature, secrets)) return undefined
    const [only] = pieces
    const bytes = pieces.length === 1 && only !== undefined ? only : Buffer.concat(pieces, size)
    if (!isUtf8(bytes)) return undefined // decoding would change what was signed
    const text = bytes.toString('utf8')
    for (const key of keys) if (await key.verify(text, signature)) return { bytes, text }
    return undefined
  }
}

const mayBeSigned = (pieces: readonly Buffer[], signature: string, secrets: readonly string[]): boolean => {
  const given = Buffer.from(signature)
  return secrets.some((secret) => isEqual(given, Buffer.from(signatureOf(pieces, secret))))
}

function signatureOf(pieces: readonly Buffer[], secret: string): string {
  const hmac = createHmac('sha256', secret)
  for (const piece of pieces) hmac.update(piece)
  return `sha256=${hmac.digest('hex')}`
}

const isEqual = (one: Buffer, other: Buffer): boolean =>
  one.length === other.length && timingSafeEqual(one, other)
