import { isUtf8 } from 'node:buffer'

import { Webhooks } from '@octokit/webhooks'

/**
 * Makes the check of `X-Hub-Signature-256` over the raw bytes, in constant time. Any of the secrets may have
 * signed, so that a secret can be replaced without a gap.
 */
export function createSignatureCheck(
  secrets: readonly string[],
): (body: Buffer, signature: string) => Promise<boolean> {
  const keys = secrets.map((secret) => new Webhooks({ secret }))
  return async (body, signature) => {
    if (!isUtf8(body)) return false // decoding would change what was signed
    const text = body.toString('utf8')
    if (text === '') return false
    for (const key of keys) if (await key.verify(text, signature)) return true
    return false
  }
}
