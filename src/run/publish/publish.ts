import { createHash } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'

import type { LogTarget } from '../../config/config.ts'
import type { Deployment } from '../../deployment/deployment.ts'
import { messageOf } from '../../errors.ts'
import { GitHubError, type GitHub } from '../../github/github.ts'
import { isForbidden } from '../../github/limits.ts'
import type { Masker } from '../../logs/redact.ts'
import { NoCredentials, type CredentialSources } from '../sources/s3-credentials.ts'
import { uploadToS3 } from '../sources/s3.ts'
import { UploadFailure } from '../sources/upload.ts'
import { createExcerpt } from './excerpt.ts'
import { fileOf, keyOf, titleOf } from './names.ts'

export interface PublishParts {
  /** The log as people read it, secrets masked; from its beginning each time. */
  read(): AsyncIterable<Buffer>
  /** GitHub as whoever has this token; undefined: as we are. */
  github(token: string | undefined): Pick<GitHub, 'createGist'>
  readonly credentials: Pick<CredentialSources, 'home' | 'environment'>
  /** Told what must not be shown, before it is used. */
  readonly hide: Masker['add']
  mask(text: string): string
  /** 128 random bits, as text. */
  random(): string
  /** Aborted with a sentence when there is no time for it any more. */
  readonly stopping: AbortSignal
  /** For all tries together. */
  readonly withinMs?: number
  readonly pauseMs?: number
}

/** What came of it: where the log can be read, or why it is nowhere, in one sentence. */
export type Published = { readonly url: string } | { readonly why: string }

const WITHIN_MS = 30_000
const PAUSE_MS = 1_000
/** GitHub shows a megabyte of a file: https://docs.github.com/rest/gists/gists#truncation */
const MOST_IN_GIST = 1_000_000

/**
 * Puts the log where its environment wants it. Tries once more what may pass. Never takes longer than `withinMs`, never
 * rejects.
 */
export async function publishLog(
  deployment: Deployment,
  { target, state }: { readonly target: LogTarget; readonly state: string },
  parts: PublishParts,
): Promise<Published> {
  const { stopping, withinMs = WITHIN_MS, pauseMs = PAUSE_MS } = parts
  const time = AbortSignal.timeout(withinMs)
  const signal = AbortSignal.any([time, stopping])
  const put = (): Promise<string> =>
    target.kind === 'gist'
      ? putIntoGist(deployment, { target, state }, parts)
      : putIntoBucket(deployment, { target, signal }, parts)
  try {
    const url = await inTime(signal, async () => {
      try {
        return await put()
      } catch (thrown) {
        if (!mayPass(thrown)) throw thrown
        await pause(pauseMs, undefined, { signal })
        return put()
      }
    })
    return { url }
  } catch (thrown) {
    if (stopping.aborted) return { why: 'Ferryman is stopping.' }
    if (time.aborted) return { why: `It was not done within ${withinMs / 1000} s.` }
    return { why: parts.mask(whyOf(thrown)) }
  }
}

async function putIntoGist(
  deployment: Deployment,
  { target, state }: { readonly target: LogTarget & { readonly kind: 'gist' }; readonly state: string },
  { github, read, mask }: PublishParts,
): Promise<string> {
  const excerpt = createExcerpt(MOST_IN_GIST)
  for await (const bytes of read()) excerpt.push(bytes)
  const content = excerpt.text()
  return github(target.token).createGist({
    description: mask(titleOf(deployment, state)),
    file: mask(fileOf(deployment)),
    content: content.trim() === '' ? '(The log is empty.)\n' : content,
  })
}

async function putIntoBucket(
  deployment: Deployment,
  { target, signal }: { readonly target: LogTarget & { readonly kind: 's3' }; readonly signal: AbortSignal },
  { read, random, hide, credentials }: PublishParts,
): Promise<string> {
  const { bucket, prefix, region, endpoint, url, configured, keyFile } = target
  const { environment } = credentials
  const key = keyOf(deployment, random())
  const usual = environment['AWS_REGION'] ?? environment['AWS_DEFAULT_REGION']
  const signed = await uploadToS3(
    { bucket, key: `${prefix}${key}`, region: region ?? usual, endpoint },
    { ...(await measured(read())), contentType: 'text/plain; charset=utf-8', read },
    { credentials: { ...credentials, configured, keyFile }, signal, hide },
  )
  return url === undefined ? signed : `${url}/${key}`
}

/** What a signature says of the content before any of it is sent. */
async function measured(content: AsyncIterable<Buffer>): Promise<{ sha256: string; bytes: number }> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const piece of content) {
    hash.update(piece)
    bytes += piece.length
  }
  return { sha256: hash.digest('hex'), bytes }
}

/** Its answer, as long as the signal lets us wait for it. */
async function inTime<Answer>(signal: AbortSignal, work: () => Promise<Answer>): Promise<Answer> {
  const over = Promise.withResolvers<never>()
  const end = (): void => over.reject(signal.reason)
  signal.throwIfAborted()
  signal.addEventListener('abort', end, { once: true })
  try {
    return await Promise.race([work(), over.promise])
  } finally {
    signal.removeEventListener('abort', end)
  }
}

function mayPass(thrown: unknown): boolean {
  if (thrown instanceof UploadFailure) return thrown.mayPass
  if (!(thrown instanceof GitHubError)) return false
  const { status } = thrown
  return status === undefined || status >= 500 // a limit is not over in a second
}

function whyOf(thrown: unknown): string {
  if (thrown instanceof NoCredentials) return thrown.why
  const message = messageOf(thrown).replace(/\.?$/, '.')
  return isForbidden(thrown) || (thrown instanceof GitHubError && thrown.status === 404)
    ? `${message} To make a gist its token needs the scope gist (classic), or the account permission Gists: write.`
    : message
}
