import { hash } from 'node:crypto'

/** What a source holds now. */
export interface SourceVersion {
  /** 40 hex digits: the commit, or of a zip the `versionId`. */
  readonly sha: string
  /** For people: the branch, the tag or the commit; of a zip its version in the words of its server. */
  readonly ref: string
  /** Of git: the branch that was asked about, if it was one. */
  readonly branch: string | undefined
}

/** As what a version of a zip is known: it looks like a commit, and is the same for the same version there alone. */
export const versionId = (place: string, version: string): string =>
  hash('sha256', `${place}\n${version}`, 'hex').slice(0, 40)

/** What of a deployment an address can name. */
export interface Named {
  readonly sha: string
  readonly environment: string
}

/** The words that an address of a source may have in braces: what no stranger can choose. */
export const IN_ADDRESS: readonly string[] = ['sha', 'short_sha', 'environment']

/** An address with `{sha}`, `{short_sha}` and `{environment}` filled in; each value as `encode` writes it. */
export function fillAddress(
  address: string,
  { sha, environment }: Named,
  encode: (text: string) => string,
): string {
  const values: Readonly<Record<string, string>> = { sha, short_sha: sha.slice(0, 7), environment }
  return address.replaceAll(/\{(sha|short_sha|environment)\}/g, (whole, name: string) =>
    encode(values[name] ?? whole),
  )
}

/** Whether an address names the commit, so that what comes from there is of that commit. */
export const namesCommit = (address: string): boolean => /\{(?:short_)?sha\}/.test(address)

/** `s3://bucket/logs`: where objects are put; the prefix is empty, or ends with a slash. Undefined for what is none. */
export function readS3Prefix(
  address: string,
): { readonly bucket: string; readonly prefix: string } | undefined {
  const found = readS3Address(`${address.replace(/\/+$/, '')}/x`)
  return found && { bucket: found.bucket, prefix: found.key.slice(0, -1) }
}

/** `s3://bucket/path/to/app.zip`; undefined for what is none. */
export function readS3Address(
  address: string,
): { readonly bucket: string; readonly key: string } | undefined {
  const [, bucket, key] = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\/([^/].*)$/s.exec(address) ?? []
  return bucket === undefined || key === undefined ? undefined : { bucket, key }
}
