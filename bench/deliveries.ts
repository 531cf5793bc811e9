import { createHmac } from 'node:crypto'
import { createRequire } from 'node:module'

export const SECRET = 'a-secret-for-the-benchmark'
export const PATH = '/webhooks/github'
/** Of the examples. */
export const REPOSITORY = 'Codertocat/Hello-World'
const THEIR_ID = '145988746'

interface Example {
  readonly name: string
  readonly examples: readonly unknown[]
}

/**
 * Makes GitHub's real `deployment` examples into deliveries of today: each with a GUID of its own and, where asked, another
 * deployment.
 */
export function createDeliveries({ otherDeployments }: { otherDeployments: boolean }) {
  const all = createRequire(import.meta.url)('@octokit/webhooks-examples') as readonly Example[]
  const texts = (all.find(({ name }) => name === 'deployment')?.examples ?? []).map((example) =>
    JSON.stringify(fresh(example as { readonly deployment: object })),
  )
  const parts = texts.map((text) => text.split(THEIR_ID))
  const ready = texts.map((text) => ({ body: text, signature: sign(text) }))
  const base = Date.now() % 1e9 // later runs against the same server name other deployments
  let count = 0

  return (): { body: string; headers: Record<string, string> } => {
    count += 1
    const at = count % texts.length
    const body = otherDeployments
      ? (parts[at] ?? []).join(String(base * 1e5 + count))
      : (ready[at]?.body ?? '')
    return {
      body,
      headers: {
        'content-type': 'application/json',
        'user-agent': 'GitHub-Hookshot/044aadd',
        'x-github-event': 'deployment',
        'x-github-delivery': `${base}-${process.pid}-${count}`,
        'x-hub-signature-256': otherDeployments ? sign(body) : (ready[at]?.signature ?? ''),
      },
    }
  }
}

/** GitHub delivers within seconds; what was created years ago has come late, and is looked at more closely. */
const fresh = (example: { readonly deployment: object }) => ({
  ...example,
  deployment: { ...example.deployment, created_at: new Date().toISOString() },
})

/** The same delivery for another commit. */
export function ofCommit(
  { body, headers }: { readonly body: string; readonly headers: Record<string, string> },
  sha: string,
) {
  const given = JSON.parse(body) as { deployment: object }
  const text = JSON.stringify({ ...given, deployment: { ...given.deployment, sha, ref: 'main' } })
  return { body: text, headers: { ...headers, 'x-hub-signature-256': sign(text) } }
}

const sign = (body: string): string => `sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`
