import { generateKeyPairSync } from 'node:crypto'

import type { GitHubDouble } from '../../src/demo/github-double.ts'
import type { App } from '../../src/demo/github/state.ts'
import { createGitHub } from '../../src/github/client.ts'
import type { GitHub } from '../../src/github/github.ts'

/** A pair of keys as GitHub makes them for an App: PKCS#1, in PEM. */
export const newKeys = (): { privateKey: string; publicKey: string } =>
  generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  })

let made: ReturnType<typeof newKeys> | undefined
/** One pair for all tests of a file: making them takes a while. */
export const keysOfApp = (): ReturnType<typeof newKeys> => (made ??= newKeys())

export const PERMISSIONS = {
  deployments: 'write',
  contents: 'read',
  pull_requests: 'read',
  statuses: 'read',
  checks: 'read',
} as const

/** The App at GitHub, installed on acme. */
export function appAtGitHub(github: GitHubDouble): App {
  const app = github.addApp('ferryman-acme', keysOfApp().publicKey)
  github.installApp(app, { account: 'acme', permissions: PERMISSIONS })
  return app
}

export interface AppClientOptions {
  readonly privateKey?: string
  readonly clock?: () => number
  readonly learn?: (secret: string) => () => void
  readonly mask?: (text: string) => string
}

/** Ferryman's own client as that App. */
export const appClientOf = (
  github: GitHubDouble,
  { id }: Pick<App, 'id'>,
  { privateKey = keysOfApp().privateKey, ...rest }: AppClientOptions = {},
): GitHub =>
  createGitHub({ app: { id: String(id), privateKey }, apiUrl: github.url, version: 'test', ...rest })

/** How many tokens were asked for. */
export const mintsAt = (github: GitHubDouble): number =>
  github.requests.filter(({ path }) => path.endsWith('/access_tokens')).length
