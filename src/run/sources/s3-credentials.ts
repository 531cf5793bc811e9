import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

import { causeOf } from '../../config/references.ts'
import { messageOf } from '../../errors.ts'
import { ReleaseFailure } from './failure.ts'

export interface Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string | undefined
  /** Where they were found, for people. */
  readonly source: string
}

/** Where credentials may be found, in the order in which they are looked for. */
export interface CredentialSources {
  /** From the configuration. */
  readonly configured: Pick<Credentials, 'accessKeyId' | 'secretAccessKey'> | undefined
  /** A file that the configuration names; it has to be there. */
  readonly keyFile: string | undefined
  /** Whose `.amazon/account-key` is looked for. */
  readonly home: string
  /** The server's own. */
  readonly environment: Readonly<Record<string, string | undefined>>
}

const METADATA = 'http://169.254.169.254'
const METADATA_MS = 2_000

/** The first that are found: configured, in a file, in the environment, of the role of this machine. */
export async function findCredentials(sources: CredentialSources, signal: AbortSignal): Promise<Credentials> {
  const { configured, environment } = sources
  if (configured !== undefined) return { ...configured, sessionToken: undefined, source: 'the configuration' }
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, AWS_SESSION_TOKEN: token } = environment
  const inFile = await readKeyFile(sources)
  if (inFile !== undefined) return inFile
  if (id !== undefined && id !== '' && secret !== undefined && secret !== '')
    return {
      accessKeyId: id,
      secretAccessKey: secret,
      sessionToken: token === '' ? undefined : token,
      source: 'AWS_ACCESS_KEY_ID',
    }
  return askMachine(sources, signal)
}

const USUAL_FILE = '.amazon/account-key'

async function readKeyFile({ keyFile, home }: CredentialSources): Promise<Credentials | undefined> {
  const file = keyFile ?? join(home, USUAL_FILE)
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (thrown) {
    if (keyFile === undefined && Reflect.get(Object(thrown), 'code') === 'ENOENT') return undefined
    throw unavailable(`The key file ${file} cannot be read: ${causeOf(thrown)}`, thrown)
  }
  const { accessKey, secretKey } = parseKeyFile(text)
  if (accessKey === undefined || secretKey === undefined)
    throw unavailable(`The key file ${file} lacks ${accessKey === undefined ? 'accessKey' : 'secretKey'}=…`)
  return { accessKeyId: accessKey, secretAccessKey: secretKey, sessionToken: undefined, source: file }
}

/** Lines such as `accessKey=AKIA…`; empty ones and those after `#` say nothing, and only the first `=` counts. */
function parseKeyFile(text: string): Partial<Record<string, string>> {
  const lines = text.split(/\r?\n/).filter((line) => line.includes('=') && !line.startsWith('#'))
  return Object.fromEntries(
    lines.map((line) => {
      const at = line.indexOf('=')
      return [line.slice(0, at).trim(), line.slice(at + 1).trim() || undefined]
    }),
  )
}

/** Asks the machine for the credentials of its role: EC2's Instance Metadata Service, version 2. */
async function askMachine(
  { environment, home }: CredentialSources,
  signal: AbortSignal,
): Promise<Credentials> {
  const base = (environment['AWS_EC2_METADATA_SERVICE_ENDPOINT'] ?? METADATA).replace(/\/+$/, '')
  const ask = async (path: string, init: RequestInit): Promise<string> => {
    const response = await fetch(`${base}/latest/${path}`, {
      ...init,
      redirect: 'error',
      signal: AbortSignal.any([signal, AbortSignal.timeout(METADATA_MS)]),
    })
    const text = await response.text()
    if (response.status !== 200) throw new Error(`it answered ${response.status}`)
    return text
  }
  try {
    if (environment['AWS_EC2_METADATA_DISABLED'] === 'true') throw new Error('it is not to be asked')
    const token = await ask('api/token', {
      method: 'PUT',
      headers: { 'x-aws-ec2-metadata-token-ttl-seconds': '60' },
    })
    const headers = { 'x-aws-ec2-metadata-token': token }
    const roles = 'meta-data/iam/security-credentials/'
    const role = (await ask(roles, { headers })).split('\n')[0]?.trim() ?? ''
    const given = JSON.parse(await ask(`${roles}${encodeURIComponent(role)}`, { headers })) as unknown
    return {
      accessKeyId: textIn(given, 'AccessKeyId'),
      secretAccessKey: textIn(given, 'SecretAccessKey'),
      sessionToken: textIn(given, 'Token'),
      source: `the role ${role}`,
    }
  } catch (thrown) {
    signal.throwIfAborted()
    const looked = `in the configuration (s3), ${join(home, USUAL_FILE)}, AWS_ACCESS_KEY_ID and the role of this machine`
    throw unavailable(`There are no credentials for S3 ${looked} (${messageOf(thrown)})`, thrown)
  }
}

function textIn(given: unknown, key: string): string {
  const value: unknown = Reflect.get(Object(given), key)
  if (typeof value !== 'string' || value === '') throw new Error(`it told no ${key}`)
  return value
}

/** There are no credentials, or none that can be read. */
export class NoCredentials extends ReleaseFailure {
  /** Why, as a sentence that says nothing of what they were for. */
  readonly why: string

  constructor(detail: string, cause?: unknown) {
    super('source_unavailable', `${detail}; nothing was changed.`, cause)
    this.why = `${detail}.`
  }
}

const unavailable = (detail: string, cause?: unknown): NoCredentials => new NoCredentials(detail, cause)
