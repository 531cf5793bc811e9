import { Webhooks } from '@octokit/webhooks'

/**
 * Makes the check of `X-Hub-Signature-256` over the body, decoded from UTF-8 without loss, in constant time.
 * Any of the secrets may have signed, so that a secret can be replaced without a gap.
 */
export function createSignatureCheck(
  secrets: readonly string[],
): (body: string, signature: string) => Promise<boolean> {
  const keys = secrets.map((secret) => new Webhooks({ secret }))
  return async (body, signature) => {
    if (body === '') return false
    for (const key of keys) if (await key.verify(body, signature)) return true
    return false
  }
}
