import type { Masker } from '../../logs/redact.ts'
import { askVersion, download, type Asking, type Downloaded, type HttpLimits } from './http.ts'
import { upload, type Content } from './upload.ts'
import { findCredentials, type Credentials, type CredentialSources } from './s3-credentials.ts'

/** One object of a bucket. */
export interface S3Object {
  readonly bucket: string
  readonly key: string
  /** `us-east-1` where nobody says another one; the store is believed where it names the right one. */
  readonly region: string | undefined
  /** Of another store than Amazon's; buckets are then the first part of its paths. */
  readonly endpoint: string | undefined
}

export interface S3Options {
  readonly credentials: CredentialSources
  readonly signal: AbortSignal
  readonly limits?: HttpLimits
  /** Told what must not be shown, before it is used. */
  readonly hide: Masker['add']
}

/** Downloads the object into a new file, as `download` does. */
export const downloadFromS3 = (object: S3Object, file: string, options: S3Options): Promise<Downloaded> =>
  inItsRegion('GET', { object }, options, (asking) => download(asking, file))

/** Asks which version of it is there. */
export const askS3Version = (object: S3Object, options: S3Options): Promise<string | undefined> =>
  inItsRegion('HEAD', { object }, options, (asking) => askVersion(asking))

/** What is put into a bucket. */
export interface S3Content extends Omit<Content, 'type'> {
  readonly contentType: string
  /** Hexadecimal. */
  readonly sha256: string
}

/** An object may be read by whoever has such an address for so long: Amazon's limit, 7 days. */
const SIGNED_SECONDS = 604_800

/**
 * Puts the object into its bucket; answers an address that opens it for 7 days, or for as long as the credentials live.
 * Rejects with `UploadFailure`, and where there are no credentials with `NoCredentials`.
 */
export const uploadToS3 = (
  object: S3Object,
  { contentType, sha256, ...content }: S3Content,
  options: S3Options,
): Promise<string> => {
  const headers = { 'content-type': contentType, 'x-amz-content-sha256': sha256 }
  return inItsRegion('PUT', { object, headers }, options, async (asking, { region, credentials }) => {
    await upload(asking, content)
    const address = addressOf({ ...object, region })
    return presign(address, { region, credentials, seconds: SIGNED_SECONDS })
  })
}

const USUAL_REGION = 'us-east-1'

/** A store that knows better where the bucket lies is asked there, once. */
async function inItsRegion<Answer>(
  method: 'GET' | 'HEAD' | 'PUT',
  { object, headers = {} }: { readonly object: S3Object; readonly headers?: Headers },
  options: S3Options,
  ask: (asking: Asking, as: { region: string; credentials: Credentials }) => Promise<Answer>,
): Promise<Answer> {
  const credentials = await findCredentials(options.credentials, options.signal)
  const { secretAccessKey, sessionToken } = credentials
  if (sessionToken === undefined) options.hide([secretAccessKey])
  else options.hide([secretAccessKey, sessionToken], 'hours')
  const first = object.region ?? USUAL_REGION
  let actual: string | undefined
  const askIn = async (region: string) => {
    const asking = await askingFor(method, { ...object, region, headers }, credentials, {
      ...options,
      region: (named) => (actual = named),
    })
    return ask(asking, { region, credentials })
  }
  try {
    return await askIn(first)
  } catch (thrown) {
    if (actual === undefined || actual === first) throw thrown
    return askIn(actual)
  }
}

type Headers = Readonly<Record<string, string>>

async function askingFor(
  method: string,
  object: S3Object & { readonly region: string; readonly headers: Headers },
  credentials: Credentials,
  { signal, limits, region }: S3Options & { readonly region: (named: string) => void },
): Promise<Asking> {
  const signing = { method, region: object.region, credentials, headers: object.headers }
  const { url, headers } = await sign(addressOf(object), signing)
  return {
    url,
    headers,
    name: `s3://${object.bucket}/${object.key}`,
    signal,
    ...(limits === undefined ? {} : { limits }),
    mayRedirect: false, // a signature is for one address
    async explain(response) {
      const { said, named } = await explain(response, credentials)
      if (named !== undefined && /^[a-z0-9-]{1,40}$/.test(named)) region(named)
      return said
    },
  }
}

/** Every part of the key as it has to stand in an address. */
export function addressOf({ bucket, key, region, endpoint }: S3Object & { readonly region: string }): string {
  const path = key.split('/').map(encoded).join('/')
  if (endpoint !== undefined) return `${endpoint.replace(/\/+$/, '')}/${bucket}/${path}`
  const host = `s3.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`
  // A certificate of Amazon's covers no dots in the name of a bucket.
  return bucket.includes('.') ? `https://${host}/${bucket}/${path}` : `https://${bucket}.${host}/${path}`
}

const encoded = (part: string): string =>
  encodeURIComponent(part).replaceAll(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`)

interface Signing {
  readonly method: string
  readonly region: string
  readonly credentials: Credentials
  readonly headers?: Readonly<Record<string, string>>
  /** As `20130524T000000Z`; now, if left out. */
  readonly datetime?: string
  readonly service?: string
}

/** The address and the headers with which it is asked for: Signature Version 4. */
export async function sign(
  url: string,
  { method, region, credentials, headers, datetime, service = 's3' }: Signing,
): Promise<{ readonly url: string; readonly headers: Readonly<Record<string, string>> }> {
  const { AwsV4Signer } = await import('aws4fetch')
  const signed = await new AwsV4Signer({
    method,
    url,
    region,
    service,
    ...keysOf(credentials),
    headers: { ...(service === 's3' ? { 'x-amz-content-sha256': EMPTY } : {}), ...headers },
    ...(datetime === undefined ? {} : { datetime }),
    allHeaders: true,
  }).sign()
  return { url: signed.url.href, headers: Object.fromEntries(signed.headers) }
}

/** The address by which the object can be read without credentials, for so many seconds. */
export async function presign(
  address: string,
  {
    region,
    credentials,
    seconds,
    datetime,
  }: Pick<Signing, 'region' | 'credentials' | 'datetime'> & { readonly seconds: number },
): Promise<string> {
  const url = new URL(address)
  url.searchParams.set('X-Amz-Expires', String(seconds))
  const { AwsV4Signer } = await import('aws4fetch')
  const signed = await new AwsV4Signer({
    method: 'GET',
    url: url.href,
    region,
    service: 's3',
    ...keysOf(credentials),
    ...(datetime === undefined ? {} : { datetime }),
    signQuery: true,
  }).sign()
  return signed.url.href
}

const keysOf = ({ accessKeyId, secretAccessKey, sessionToken }: Credentials) => ({
  accessKeyId,
  secretAccessKey,
  ...(sessionToken === undefined ? {} : { sessionToken }),
})

/** SHA-256 of no body. */
const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
const MOST_EXPLAINED = 16_384

/** What the store says about its no, and the region that it names: the code is a contract, the message for people. */
async function explain(
  response: Response,
  { source }: Credentials,
): Promise<{ readonly said: string; readonly named: string | undefined }> {
  const text = response.body === null ? '' : await firstOf(response.body)
  const part = (name: string): string | undefined => new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1]
  const [code, message] = [part('Code'), part('Message')]
  const said = code === undefined ? '' : `${code}${message === undefined ? '' : `, ${message}`}`
  const asked = [400, 401, 403].includes(response.status) ? `asked with the credentials of ${source}` : ''
  return {
    said: [said.replace(/\.$/, ''), asked].filter((one) => one !== '').join('; '),
    named: response.headers.get('x-amz-bucket-region') ?? part('Region'),
  }
}

async function firstOf(body: ReadableStream<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body) {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes > MOST_EXPLAINED) break
  }
  return Buffer.concat(chunks).toString()
}
