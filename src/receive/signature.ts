import { createHmac, timingSafeEqual } from 'node:crypto'

/**
 * Makes the check of `X-Hub-Signature-256` over the bytes of a body in pieces, in constant time. Any of the secrets
 * may have signed, so that a secret can be replaced without a gap. (@octokit/webhooks checks texts only: to join, decode
 * and encode 25 MB of somebody unknown takes more time and memory than all else that is done for them.)
 */
export function createSignatureCheck(
  secrets: readonly string[],
): (body: readonly Buffer[], signature: string) => boolean {
  return (body, signature) => {
    const given = Buffer.from(signature)
    return body.length > 0 && secrets.some((secret) => isEqual(given, Buffer.from(signatureOf(body, secret))))
  }
}

function signatureOf(body: readonly Buffer[], secret: string): string {
  const hmac = createHmac('sha256', secret)
  for (const piece of body) hmac.update(piece)
  return `sha256=${hmac.digest('hex')}`
}

const isEqual = (one: Buffer, other: Buffer): boolean =>
  one.length === other.length && timingSafeEqual(one, other)
