import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdir, stat, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { crc32 } from 'node:zlib'

import type { Entry, ZipFile } from 'yauzl'

import { messageOf } from '../../errors.ts'
import { ReleaseFailure, sayDisk } from './failure.ts'

/** What an archive may grow to. */
export interface ZipLimits {
  /** All files together, unpacked. */
  readonly bytes: number
  readonly entries: number
  /** So many times the size of the archive, once that is more than `LEAST_SUSPICIOUS`. */
  readonly ratio: number
}

export const ZIP_LIMITS: ZipLimits = { bytes: 8 * 1024 ** 3, entries: 200_000, ratio: 100 }
const LEAST_SUSPICIOUS = 64 * 1024 ** 2
const LONGEST_NAME = 255
const LONGEST_PATH = 3_000

export interface UnpackOptions {
  readonly signal: AbortSignal
  readonly limits?: ZipLimits
}

/** What was unpacked. */
export interface Unpacked {
  readonly files: number
  readonly bytes: number
}

/**
 * Unpacks an archive into a folder that is there and empty. What the archive says of itself is looked at before
 * anything is written, and believed of no file: sizes and checksums are seen again as they are unpacked. Of its modes
 * only "executable" counts. Links have to stay inside, and come last, so that nothing is written through one.
 * Throws a `ReleaseFailure` that names the entry; what was unpacked by then is left to the caller.
 */
export async function unpackZip(
  file: string,
  folder: string,
  { signal, limits = ZIP_LIMITS }: UnpackOptions,
): Promise<Unpacked> {
  const { size } = await stat(file)
  const { openPromise } = await import('yauzl')
  const zip = await openPromise(file, { autoClose: false }).catch((thrown: unknown) => {
    throw refused(`The archive cannot be read: ${lowerFirst(messageOf(thrown))}`, thrown)
  })
  try {
    const contents = await readContents(zip, limits)
    checkSizes(contents, size, limits)
    return await write(zip, contents, folder, signal)
  } finally {
    zip.close()
  }
}

const refused = (detail: string, cause?: unknown): ReleaseFailure =>
  new ReleaseFailure('source_refused', detail.endsWith('.') ? detail : `${detail}.`, cause)

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1)

interface Item {
  readonly kind: 'file' | 'folder' | 'link'
  readonly entry: Entry
}

/** Everything in it by its path, `/` between the parts. */
type Contents = ReadonlyMap<string, Item>

async function readContents(zip: ZipFile, limits: ZipLimits): Promise<Contents> {
  const contents = new Map<string, Item>()
  let entries = 0
  try {
    for await (const entry of zip.eachEntry()) {
      entries += 1
      if (entries > limits.entries) throw refused(`The archive has more than ${limits.entries} entries`)
      add(entry, contents)
    }
  } catch (thrown) {
    if (thrown instanceof ReleaseFailure) throw thrown
    // Names that lead out of the folder end here as well.
    throw refused(`The archive was refused: ${lowerFirst(messageOf(thrown))}`, thrown)
  }
  for (const path of contents.keys()) checkParents(path, contents)
  if (![...contents.values()].some(({ kind }) => kind !== 'folder')) throw refused('The archive is empty')
  return contents
}

function add(entry: Entry, contents: Map<string, Item>): void {
  const { fileName } = entry
  const path = pathOf(fileName)
  const kind = kindOf(entry)
  if (path === '') {
    if (kind === 'folder') return
    throw refused('The archive has an entry without a name')
  }
  if (entry.isEncrypted()) throw refused(`${shown(path)} is encrypted`)
  if (kind !== 'folder' && !entry.canDecodeFileData())
    throw refused(`${shown(path)} is packed in a way that is not understood (${entry.compressionMethod})`)
  const twin = contents.get(path)
  if (twin !== undefined && (kind !== 'folder' || twin.kind !== 'folder'))
    throw refused(`${shown(path)} is there twice`)
  contents.set(path, { kind, entry })
}

const CONTROL = /\p{Cc}/u

/** Its path without `.` and empty parts. The library has refused `..`, absolute paths and drives; this does not rely on it. */
function pathOf(name: string): string {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.')
  const isWrong = name.startsWith('/') || parts.includes('..') || CONTROL.test(name)
  if (isWrong) throw refused(`${shown(name)} is no name of a file inside of it`)
  const path = parts.join('/')
  if (Buffer.byteLength(path) > LONGEST_PATH || parts.some((part) => Buffer.byteLength(part) > LONGEST_NAME))
    throw refused(`${shown(name)} is too long a name`)
  return path
}

const UNIX = [3, 19] // where the archive was made: Unix and macOS
const TYPE = 0o170000
const KINDS: Readonly<Record<number, Item['kind']>> = {
  0: 'file',
  0o100000: 'file',
  0o040000: 'folder',
  0o120000: 'link',
}

function kindOf({ fileName, versionMadeBy, externalFileAttributes }: Entry): Item['kind'] {
  if (fileName.endsWith('/')) return 'folder'
  const type = UNIX.includes(versionMadeBy >>> 8) ? (externalFileAttributes >>> 16) & TYPE : 0
  const kind = KINDS[type]
  if (kind === undefined) throw refused(`${shown(fileName)} is a device, a pipe or a socket`)
  return kind
}

const isExecutable = ({ versionMadeBy, externalFileAttributes }: Entry): boolean =>
  UNIX.includes(versionMadeBy >>> 8) && ((externalFileAttributes >>> 16) & 0o111) !== 0

/** A name as it can be shown: short, and without what could move a cursor. */
const shown = (name: string): string => JSON.stringify(name.length > 120 ? `${name.slice(0, 119)}…` : name)

/** Nothing may be inside of a file, or behind a link. */
function checkParents(path: string, contents: Contents): void {
  for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
    const parent = contents.get(path.slice(0, at))
    if (parent !== undefined && parent.kind !== 'folder')
      throw refused(`${shown(path)} is inside of ${shown(path.slice(0, at))}, which is a ${parent.kind}`)
  }
}

function checkSizes(contents: Contents, size: number, { bytes: most, ratio }: ZipLimits): void {
  const entries = [...contents.values()].map(({ entry }) => entry)
  const bytes = entries.reduce((sum, { uncompressedSize }) => sum + uncompressedSize, 0)
  if (overlap(entries)) throw refused('The archive was refused: its parts overlap')
  if (bytes > most) throw refused(`The archive would grow to ${bytes} bytes, and ${most} are the limit`)
  if (bytes > LEAST_SUSPICIOUS && bytes > size * ratio)
    throw refused(`The archive would grow to ${bytes} bytes, more than ${ratio} times its size`)
}

const LOCAL_HEADER = 30

/** Whether two of them share bytes, as no tool would do it: what is packed once could be unpacked a million times. */
function overlap(entries: readonly Entry[]): boolean {
  const inOrder = entries.toSorted(
    (one, other) => one.relativeOffsetOfLocalHeader - other.relativeOffsetOfLocalHeader,
  )
  let end = 0
  return inOrder.some(({ relativeOffsetOfLocalHeader: begin, compressedSize }) => {
    const isInside = begin < end
    end = begin + LOCAL_HEADER + compressedSize
    return isInside
  })
}

async function write(
  zip: ZipFile,
  contents: Contents,
  folder: string,
  signal: AbortSignal,
): Promise<Unpacked> {
  const made = new Set<string>()
  const makeFolder = async (path: string): Promise<void> => {
    if (made.has(path)) return
    made.add(path)
    await mkdir(join(folder, path), { recursive: true })
  }
  const all = [...contents]
  const links = all.filter(([, { kind }]) => kind === 'link')
  const targets = await readTargets(zip, links)
  let bytes = 0
  for (const [path, { kind, entry }] of all) {
    signal.throwIfAborted()
    if (kind === 'link') continue
    await makeFolder(kind === 'folder' ? path : dirname(path)).catch((thrown: unknown) =>
      sayDisk(thrown, folder),
    )
    if (kind === 'folder') continue
    await writeFile(zip, entry, join(folder, path), signal).catch((thrown: unknown) =>
      sayWhat(thrown, path, folder, signal),
    )
    bytes += entry.uncompressedSize
  }
  for (const [path, target] of targets) {
    await makeFolder(dirname(path)).catch((thrown: unknown) => sayDisk(thrown, folder))
    await symlink(target, join(folder, path)).catch((thrown: unknown) => sayDisk(thrown, folder))
  }
  return { files: all.length - all.filter(([, { kind }]) => kind === 'folder').length, bytes }
}

/** Trouble with the disk is told apart from what is wrong with the archive. */
function sayWhat(thrown: unknown, path: string, folder: string, signal: AbortSignal): never {
  signal.throwIfAborted()
  if (thrown instanceof ReleaseFailure) throw thrown
  if (thrown instanceof Error && 'syscall' in thrown) sayDisk(thrown, folder)
  throw refused(`${shown(path)} is damaged: ${lowerFirst(messageOf(thrown))}`, thrown)
}

async function writeFile(zip: ZipFile, entry: Entry, path: string, signal: AbortSignal): Promise<void> {
  const content = await zip.openReadStreamPromise(entry)
  let sum = 0
  const checking = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sum = crc32(chunk, sum)
      done(null, chunk)
    },
  })
  const out = createWriteStream(path, { flags: 'wx', mode: isExecutable(entry) ? 0o755 : 0o644 })
  await pipeline(content, checking, out, { signal })
  if (sum !== entry.crc32) throw new Error('its checksum is another one')
}

const LONGEST_TARGET = 1_024

/** Where the links lead, each seen to stay inside. */
async function readTargets(zip: ZipFile, links: readonly (readonly [string, Item])[]) {
  const targets = new Map<string, string>()
  for (const [path, { entry }] of links) {
    if (entry.uncompressedSize > LONGEST_TARGET) throw refused(`${shown(path)} is no link: it is too long`)
    const target = await readText(zip, entry).catch((thrown: unknown) => {
      throw refused(`${shown(path)} is damaged: ${lowerFirst(messageOf(thrown))}`, thrown)
    })
    if (!staysInside(path, target))
      throw refused(`${shown(path)} is a link to ${shown(target)}, which leads out of the archive`)
    targets.set(path, target)
  }
  return targets
}

async function readText(zip: ZipFile, entry: Entry): Promise<string> {
  const content = await zip.openReadStreamPromise(entry)
  const chunks: Buffer[] = []
  content.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(content, 'end')
  return Buffer.concat(chunks).toString()
}

/**
 * Up as far as the link's own folder is deep, then down. After a step down there is no way up: behind a link it would
 * begin elsewhere than it seems to.
 */
export function staysInside(path: string, target: string): boolean {
  if (target === '' || target.startsWith('/') || target.includes('\0')) return false
  const parts = target.split('/').filter((part) => part !== '' && part !== '.')
  const down = parts.findIndex((part) => part !== '..')
  const up = down === -1 ? parts.length : down
  return up <= path.split('/').length - 1 && !parts.slice(up).includes('..')
}
