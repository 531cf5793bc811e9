import type { Config, EnvironmentConfig, LogTarget } from '../config/config.ts'
import { messageOf } from '../errors.ts'
import { createGitHub } from '../github/client.ts'
import { GitHubError, type GitHub } from '../github/github.ts'
import { NOBODY } from '../github/requests.ts'
import type { Masker } from '../logs/redact.ts'
import type { ServerSide } from '../run/environment.ts'
import { findCredentials, NoCredentials } from '../run/sources/s3-credentials.ts'
import { doubtful, fine, wrong, type Finding } from './findings.ts'

export interface LogTargetsOptions {
  readonly version: string
  readonly masker: Pick<Masker, 'add' | 'mask' | 'lend'>
  readonly server: Pick<ServerSide, 'environment' | 'user'>
}

/** Whether logs can be put where `log_to` says, as far as that can be seen without putting any there. */
export async function* checkLogTargets(config: Config, options: LogTargetsOptions): AsyncGenerator<Finding> {
  const { apiUrl, credentials } = config.github
  const { version, masker } = options
  const githubAs = (as: typeof credentials): GitHub =>
    createGitHub({ ...(as ?? NOBODY), apiUrl, version, mask: masker.mask, learn: masker.lend })
  const targets = new Map<string, LogTarget>()
  for (const { logTo } of environmentsOf(config))
    if (logTo !== undefined) targets.set(JSON.stringify(logTo), logTo)
  for (const target of targets.values())
    if (target.kind === 's3') yield await checkBucket(target, options)
    else yield await checkGists(githubAs(target.token === undefined ? credentials : { token: target.token }))
  if (targets.size > 0) yield* checkVisibility(config, githubAs(credentials))
}

const environmentsOf = ({ repositories }: Config): readonly EnvironmentConfig[] =>
  [...repositories.values()].flatMap(({ environments }) => [...environments.values()])

async function checkGists(github: GitHub): Promise<Finding> {
  const wayOut = 'Give it the scope gist; or name another token: `log_to: {gist: {token: …}}`.'
  try {
    const { login, scopes } = await github.tokenFacts()
    if (scopes === undefined)
      return doubtful(
        `log_to: whether the token of ${login} may make gists cannot be seen`,
        'A fine-grained token needs the account permission "Gists: read and write".',
      )
    if (!scopes.includes('gist'))
      return wrong(
        `log_to: the token of ${login} may make no gists (scopes: ${scopes.join(', ') || 'none'})`,
        wayOut,
      )
    return fine(`log_to: logs become secret gists of ${login}`)
  } catch (cause) {
    const isInvalid = cause instanceof GitHubError && cause.status === 401
    return wrong(
      `log_to: ${isInvalid ? 'the token for gists is not valid' : messageOf(cause)}`,
      isInvalid ? 'Make a new one.' : 'Check github.api_url and the network, then try again.',
    )
  }
}

async function checkBucket(
  { bucket, prefix, configured, keyFile }: LogTarget & { readonly kind: 's3' },
  { server: { environment, user }, masker }: LogTargetsOptions,
): Promise<Finding> {
  const home = environment['HOME'] ?? user.home
  try {
    const found = await findCredentials(
      { configured, keyFile, home, environment },
      new AbortController().signal,
    )
    masker.add([found.secretAccessKey, found.sessionToken ?? ''].filter((one) => one !== ''))
    return fine(`log_to: logs go to s3://${bucket}/${prefix} with the credentials of ${found.source}`)
  } catch (cause) {
    const why = cause instanceof NoCredentials ? cause.why : messageOf(cause)
    return wrong(`log_to: ${why}`, 'Write access_key_id and secret_access_key beside s3, or key_file.')
  }
}

/** A public repository shows the links in its statuses to everybody. */
async function* checkVisibility({ repositories }: Config, github: GitHub): AsyncGenerator<Finding> {
  for (const { name, environments } of repositories.values()) {
    const isOpen = [...environments.values()].some(
      ({ via, logTo, publicLogs }) => via === 'github' && logTo !== undefined && !publicLogs,
    )
    const facts = isOpen ? await github.repository(name).catch(() => undefined) : undefined // said elsewhere
    if (facts?.isPrivate === false)
      yield doubtful(
        `log_to: ${name} is public, so that everybody can read the logs that its statuses link to`,
        'Write `public_logs: true` where that is meant, else `log_to: none`.',
      )
  }
}
