import { execFile } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { promisify } from 'node:util'

import type { Config } from '../config/config.ts'
import { findConfig, loadConfig } from '../config/load.ts'
import { sign } from '../demo/github/delivery.ts'
import { create } from '../demo/github/deployments.ts'
import { createEvents } from '../demo/github/events.ts'
import { userCalled } from '../demo/github/state.ts'
import { createState, createWorld } from '../demo/github/world.ts'
import { messageOf, problem } from '../errors.ts'
import { oneLine, printable } from '../logs/one-line.ts'
import { createMasker } from '../logs/redact.ts'
import { callingUser } from '../user.ts'

export interface SendOptions {
  readonly event: string | undefined
  readonly config: string | undefined
  readonly url: string | undefined
  readonly repository: string | undefined
  readonly environment: string
  readonly sha: string | undefined
  readonly ref: string
  readonly task: string
  readonly payload: string
  readonly by: string | undefined
  readonly isPublic: boolean
}

/** What can be sent, and the event that GitHub has for it. */
const EVENTS: Readonly<Record<string, string>> = {
  deployment: 'deployment',
  merge: 'pull_request',
  push: 'push',
  ping: 'ping',
}

/** Sends one sample; answers 0 when the server took it. */
export async function runSend(options: SendOptions): Promise<number> {
  const { event: kind } = options
  const known = Object.keys(EVENTS)
  if (kind === undefined)
    throw problem('request_wrong', {
      list: `what to send: ${known.slice(0, -1).join(', ')} or ${known.at(-1)}`,
    })
  const event = EVENTS[kind]
  if (event === undefined) throw problem('event_unknown', { event: kind, known: known.join(', ') })
  if (options.url !== undefined && !isWebAddress(options.url))
    throw problem('request_wrong', {
      list: `--url ${options.url} (expected an address such as http://127.0.0.1:5000/webhooks/github)`,
    })
  const config = loadConfig(
    findConfig({ flag: options.config, environment: process.env, cwd: process.cwd() }),
    { environment: process.env },
  )
  const url = options.url ?? addressOf(config)
  const repository = options.repository ?? [...config.repositories.values()][0]?.name ?? ''
  const { mask } = createMasker(config.secrets)
  const say = (text: string): void => void process.stdout.write(mask(`${printable(text)}\n`))
  const { what, payload } = await makeSample(kind, { ...options, url, repository, config })
  say(`${what} → ${url}`)
  const { status, body } = await post(url, event, payload, config.github.webhookSecrets[0] ?? '')
  say(`${status} ${readable(body)}`)
  return status < 300 ? 0 : 1
}

const isWebAddress = (text: string): boolean => /^https?:$/.test(URL.parse(text)?.protocol ?? '')

const addressOf = ({ server }: Config): string => {
  const host = server.host === '0.0.0.0' ? '127.0.0.1' : server.host === '::' ? '[::1]' : server.host
  return `http://${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${server.port}/webhooks/github`
}

interface Sample extends Omit<SendOptions, 'config' | 'url' | 'repository'> {
  readonly url: string
  readonly repository: string
  readonly config: Config
}

/** What a GitHub of its own, in memory, that knows one repository with one commit, would send. */
async function makeSample(kind: string, sample: Sample): Promise<{ what: string; payload: unknown }> {
  const { config, environment, task, ref } = sample
  const state = createState(config.github.apiUrl, Date.now, Date.now() * 1_000)
  const world = createWorld(state)
  const repository = world.addRepository(sample.repository, { isPrivate: !sample.isPublic })
  const events = createEvents(state)
  if (kind === 'ping')
    return {
      what: 'ping',
      payload: events.ping(world.addHook(sample.repository, { url: 'http://127.0.0.1/' })),
    }

  const sha = sample.sha ?? (await headOf(sample))
  if (!/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(sha)) throw problem('sha_wrong', { sha })
  world.addCommits(sample.repository, [{ sha, message: 'A sample commit' }])
  const user = userCalled(state, sample.by ?? callingUser(process.env))
  if (kind === 'merge') {
    const before = repository.branches.get(repository.defaultBranch)?.sha ?? sha
    const payload = events.pullRequest(sample.repository, {
      action: 'closed',
      number: 1,
      title: 'A sample',
      base: { branch: ref, sha: before },
      head: { branch: 'a-sample', sha },
      author: user.login,
      merged: { sha, by: user.login },
    })
    return { what: `merge of ${sha.slice(0, 7)} into ${sample.repository} ${ref}`, payload }
  }
  if (kind === 'push') {
    const payload = events.push(sample.repository, {
      ref: `refs/heads/${ref}`,
      after: sha,
      pusher: user.login,
    })
    return { what: `push of ${sha.slice(0, 7)} to ${sample.repository} ${ref}`, payload }
  }
  world.setTag(sample.repository, ref, sha)
  const body = JSON.stringify({
    ref,
    task,
    environment,
    payload: payloadOf(sample.payload),
    required_contexts: [],
    auto_merge: false,
  })
  create(state, repository, body, { user, byApp: false })
  const made = repository.deployments.at(-1)
  if (made === undefined) throw problem('payload_wrong', { payload: sample.payload })
  return {
    what: `deployment of ${sha.slice(0, 7)} of ${sample.repository} to ${environment}`,
    payload: events.deployment(made),
  }
}

const TIMEOUT_MS = 15_000

/** Sends it as GitHub would: the signature is made over the very bytes. */
async function post(
  url: string,
  event: string,
  payload: unknown,
  secret: string,
): Promise<{ status: number; body: string }> {
  const body = Buffer.from(JSON.stringify(payload))
  const headers = {
    'content-type': 'application/json',
    'user-agent': 'Ferryman-Send',
    'x-github-delivery': randomUUID(),
    'x-github-event': event,
    'x-hub-signature-256': sign('sha256', secret, body),
  }
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers,
      body,
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    return { status: response.status, body: await response.text() }
  } catch (thrown) {
    const cause = thrown instanceof Error && thrown.cause !== undefined ? thrown.cause : thrown
    throw problem('server_unreachable', { url, cause: messageOf(cause) }, thrown)
  }
}

function payloadOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw problem('payload_wrong', { payload: text }, cause)
  }
}

/** The commit that the configured folder is at; any commit will do where there is no such folder. */
async function headOf({ config, repository, environment }: Sample): Promise<string> {
  const folder = config.repositories
    .get(repository.toLowerCase())
    ?.environments.get(environment.toLowerCase())?.recipe.folder
  if (folder === undefined) return randomBytes(20).toString('hex')
  try {
    const { stdout } = await promisify(execFile)('git', ['rev-parse', '--verify', 'HEAD^{commit}'], {
      cwd: folder,
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'] },
    })
    return stdout.trim()
  } catch (cause) {
    throw problem('sha_missing', { folder }, cause)
  }
}

/** The server's answer in words, one fact a line. */
function readable(body: string): string {
  try {
    const answer: unknown = JSON.parse(body)
    return Object.entries(Object(answer) as Record<string, unknown>)
      .map(([key, value]) => oneLine(`${key}: ${typeof value === 'string' ? value : JSON.stringify(value)}`))
      .join('\n    ')
  } catch {
    return oneLine(body.slice(0, 500))
  }
}
