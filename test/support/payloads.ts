import { createHmac } from 'node:crypto'

import { SHA } from './samples.ts'

let nextId = 700_000

interface Given {
  readonly sha?: string
  readonly ref?: string
  readonly task?: string
  readonly environment?: string
  readonly description?: string | null
  readonly payload?: unknown
  readonly creator?: { readonly login: string } | null
}

/** The part of GitHub's `deployment` event that Ferryman reads. */
export function deploymentEvent(given: Given = {}) {
  const id = (nextId += 1)
  return {
    action: 'created',
    deployment: {
      id,
      sha: SHA,
      ref: 'main',
      task: 'deploy',
      environment: 'production',
      description: null,
      payload: {} as unknown,
      url: `https://api.github.com/repos/acme/shop/deployments/${id}`,
      creator: { login: 'mona', avatar_url: 'https://avatars.example.org/mona', type: 'User' },
      ...given,
    },
    repository: { id: 17, full_name: 'acme/shop', private: true },
    sender: { login: 'mona' },
    workflow_run: null,
  }
}

/** A push to a branch from which nothing is deployed. */
export const PUSH_ELSEWHERE = {
  ref: 'refs/heads/topic',
  before: 'b'.repeat(40),
  after: 'c'.repeat(40),
  pusher: 'mona',
} as const

let nextGuid = 0

/** A delivery as GitHub would send it: the body, and the headers with its signature. */
export function signedDelivery(event: string, content: unknown, secret: string) {
  const body = typeof content === 'string' ? content : JSON.stringify(content)
  return {
    body,
    headers: {
      'content-type': 'application/json',
      'x-github-event': event,
      'x-github-delivery': `a-delivery-${(nextGuid += 1)}`,
      'x-hub-signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
    },
  }
}
