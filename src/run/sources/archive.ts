import { credentialsIn } from '../../config/values.ts'
import type { Value, ZipSource } from '../../deployment/recipe.ts'
import {
  fillAddress,
  namesCommit,
  readS3Address,
  versionId,
  type Named,
  type SourceVersion,
} from '../../deployment/source.ts'
import { cut, oneLine } from '../../logs/one-line.ts'
import type { Masker } from '../../logs/redact.ts'
import { ReleaseFailure } from './failure.ts'
import { askVersion, download, readAddress, type Downloaded, type HttpLimits } from './http.ts'
import { askS3Version, downloadFromS3 } from './s3.ts'

/** What is shown of a version; all of it counts. */
const MOST_SHOWN = 200

export interface ArchiveParts {
  /** Told what must not be shown. */
  readonly hide: Masker['add']
  resolve(value: Value): string
  /** The server's own. */
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly home: string
}

/** A zip at its place. */
export interface Archive {
  /** Its address, as far as nothing in it is secret. */
  readonly name: string
  /** Whether its address names the commit. */
  readonly isOfCommit: boolean
  /** Into a new file. Throws a `ReleaseFailure`. */
  download(file: string): Promise<Downloaded>
  /** What is there now, without its content. Throws a `ReleaseFailure`, also where the server tells no version. */
  ask(): Promise<SourceVersion>
}

/** Finds out where the zip of a deployment is; throws a `ReleaseFailure` where that is no address. Asks nobody. */
export function locate(
  named: Named,
  { address, s3 }: ZipSource,
  parts: ArchiveParts & { readonly signal: AbortSignal; readonly limits?: HttpLimits },
): Archive {
  const { hide, environment, home, signal, limits } = parts
  const template = parts.resolve(address)
  hide([...credentialsIn(template), ...('literal' in address ? [] : [template])])
  const common = { signal, ...(limits === undefined ? {} : { limits }) }
  const isOfCommit = namesCommit(template)
  const versionAt =
    (name: string, place: string, ask: () => Promise<string | undefined>) =>
    async (): Promise<SourceVersion> => {
      if (isOfCommit)
        throw new ReleaseFailure('source_refused', `${name} has a commit in it, which nobody names here.`)
      const version = await ask()
      if (version !== undefined)
        return { sha: versionId(place, version), ref: cut(oneLine(version), MOST_SHOWN), branch: undefined }
      const detail = `${name} is of no version: the server tells neither an ETag nor when it was changed.`
      throw new ReleaseFailure('source_refused', detail)
    }
  const object = readS3Address(fillAddress(template, named, (text) => text))
  if (object === undefined) {
    const filled = fillAddress(template, named, encodeURIComponent)
    if (!URL.canParse(filled)) throw new ReleaseFailure('source_refused', 'The source is no address.')
    const asking = { ...readAddress(filled), ...common, mayRedirect: true }
    const { origin, pathname } = new URL(asking.url) // whoever asks, and however that is proved, it is the same
    return {
      name: asking.name,
      isOfCommit,
      download: (file) => download(asking, file),
      ask: versionAt(asking.name, `${origin}${pathname}`, () => askVersion(asking)),
    }
  }
  const { accessKeyId, secretAccessKey, keyFile, region, endpoint } = s3
  const configured =
    accessKeyId === undefined || secretAccessKey === undefined
      ? undefined
      : { accessKeyId: parts.resolve(accessKeyId), secretAccessKey: parts.resolve(secretAccessKey) }
  const usual = environment['AWS_REGION'] ?? environment['AWS_DEFAULT_REGION']
  const there = { ...object, region: region ?? usual, endpoint }
  const options = { ...common, credentials: { configured, keyFile, home, environment }, hide }
  const name = `s3://${object.bucket}/${object.key}`
  return {
    name,
    isOfCommit,
    download: (file) => downloadFromS3(there, file, options),
    ask: versionAt(name, name, () => askS3Version(there, options)),
  }
}
