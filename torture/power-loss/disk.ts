import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

import type { Chance } from '../chance.ts'

/*
 * A disk as it is without power: what the machine has not told it to keep may be there, in part, or not at all.
 *
 * - What was written to a file is kept once that file was synced. Of later changes none, all or some survive, and of
 *   one write any of its sectors. A gap is zeros.
 * - A name in a directory (made, renamed, removed) is kept once that directory was synced. Of later changes there
 *   the first few survive, in their order. A file that was synced under a name that was not is lost.
 */

/** One line of shim.c's log; `number` is an offset, a length, or how many lines a sync covers. */
export interface Change {
  readonly kind: 'opened' | 'written' | 'truncated' | 'synced' | 'renamed' | 'unlinked' | 'made directory'
  readonly inode: number
  readonly number: number
  readonly path: string
  readonly data: Buffer
}

const KINDS = ['opened', 'written', 'truncated', 'synced', 'renamed', 'unlinked', 'made directory'] as const
const HEAD = 32

/** Reads what shim.c wrote; a record that was broken off at the end is left out. */
export function changesIn(log: Buffer): Change[] {
  const changes: Change[] = []
  for (let at = 0; at + HEAD <= log.length;) {
    const pathEnd = at + HEAD + log.readUInt32LE(at + 4)
    const end = pathEnd + log.readUInt32LE(at + 8)
    const kind = KINDS[log.readUInt32LE(at) - 1]
    if (kind === undefined || end > log.length) break
    changes.push({
      kind,
      inode: Number(log.readBigUInt64LE(at + 16)),
      number: Number(log.readBigUInt64LE(at + 24)),
      path: log.toString('utf8', at + HEAD, pathEnd),
      data: log.subarray(pathEnd, end),
    })
    at = end
  }
  return changes
}

/** A file, or a directory with what is in it. */
type Thing = Buffer | Contents
export interface Contents extends ReadonlyMap<string, Thing> {}

interface File {
  readonly kind: 'file'
  readonly kept: Content
  pending: { readonly line: number; readonly apply: (content: Content, sectors: Sectors) => void }[]
}
/** Grows seldom, so that a file written piece by piece is not copied for each. Behind its length there are zeros. */
interface Content {
  bytes: Buffer
  length: number
}
interface Directory {
  readonly kind: 'directory'
  /** As the machine sees it. */
  readonly live: Map<string, Entry>
  readonly kept: Map<string, Entry>
  pending: { readonly line: number; readonly apply: (names: Map<string, Entry>) => unknown }[]
}
type Entry = File | Directory

/** Which sectors of a write survive. */
type Sectors = (sector: number) => boolean
const ALL: Sectors = () => true
const SECTOR = 512

export interface Disk {
  /** Does what the machine did. */
  replay(changes: readonly Change[]): void
  /** What is there when the power is back. */
  remains(chance: Chance): Contents
}

/** A disk that has kept everything that is in the directory now. */
export function diskOf(path: string): Disk {
  const inodes = new Map<number, Entry>()
  const root = read(path, inodes) as Directory
  const find = (name: string): Directory | undefined => {
    if (name === path) return root
    const entry = find(dirname(name))?.live.get(basename(name))
    return entry?.kind === 'directory' ? entry : undefined
  }
  const change = (
    name: string,
    line: number,
    apply: (names: Map<string, Entry>, key: string) => unknown,
  ): void => {
    const [directory, key] = [find(dirname(name)), basename(name)]
    if (directory === undefined) return // outside
    apply(directory.live, key)
    directory.pending.push({ line, apply: (names) => apply(names, key) })
  }
  const enter = (line: number, { path: name, inode }: Change, entry: Entry): void => {
    inodes.set(inode, entry)
    change(name, line, (names, key) => names.set(key, entry))
  }
  const replayOne = (one: Change, line: number): void => {
    const { kind, inode, number, path: name, data } = one
    const entry = inodes.get(inode)
    switch (kind) {
      case 'opened':
        return number === 1 ? enter(line, one, emptyFile()) : undefined
      case 'made directory':
        return enter(line, one, emptyDirectory())
      case 'unlinked':
        return change(name, line, (names, key) => names.delete(key))
      case 'renamed': {
        const moved = find(dirname(name))?.live.get(basename(name))
        change(name, line, (names, key) => names.delete(key))
        return change(data.toString(), line, (names, key) => moved && names.set(key, moved))
      }
      case 'synced':
        return entry && keep(entry, number)
      case 'written':
        if (entry?.kind === 'file')
          entry.pending.push({ line, apply: (content, sectors) => write(content, number, data, sectors) })
        return undefined
      case 'truncated':
        if (entry?.kind === 'file') entry.pending.push({ line, apply: (content) => resize(content, number) })
        return undefined
      default:
        return kind satisfies never
    }
  }
  return {
    replay(changes) {
      for (const [line, one] of changes.entries()) replayOne(one, line)
    },
    remains: (chance) => remainsOf(root, chance),
  }
}

const emptyFile = (): File => fileOf(Buffer.alloc(0))
const fileOf = (bytes: Buffer): File => ({ kind: 'file', kept: contentOf(bytes), pending: [] })
const contentOf = (bytes: Buffer): Content => ({ bytes, length: bytes.length })
const emptyDirectory = (): Directory => ({ kind: 'directory', live: new Map(), kept: new Map(), pending: [] })

function read(path: string, inodes: Map<number, Entry>): Entry {
  const isDirectory = statSync(path).isDirectory()
  const entry = isDirectory ? emptyDirectory() : fileOf(readFileSync(path))
  inodes.set(statSync(path).ino, entry)
  if (entry.kind === 'directory')
    for (const one of readdirSync(path, { withFileTypes: true })) {
      if (!one.isFile() && !one.isDirectory()) continue // sockets and pipes end with the machine
      const child = read(join(path, one.name), inodes)
      entry.live.set(one.name, child)
      entry.kept.set(one.name, child)
    }
  return entry
}

/** What came before that line is kept for certain. */
function keep(entry: Entry, line: number): void {
  if (entry.kind === 'file') {
    for (const one of entry.pending) if (one.line < line) one.apply(entry.kept, ALL)
    entry.pending = entry.pending.filter((one) => one.line >= line)
  } else {
    for (const one of entry.pending) if (one.line < line) one.apply(entry.kept)
    entry.pending = entry.pending.filter((one) => one.line >= line)
  }
}

function write(content: Content, at: number, data: Buffer, survives: Sectors): void {
  const end = at + data.length
  if (content.length < end) resize(content, end)
  for (let sector = Math.floor(at / SECTOR); sector * SECTOR < end; sector += 1) {
    const [from, to] = [Math.max(at, sector * SECTOR), Math.min(end, (sector + 1) * SECTOR)]
    if (survives(sector)) data.copy(content.bytes, from, from - at, to - at)
  }
}

function resize(content: Content, length: number): void {
  if (length > content.bytes.length) {
    const other = Buffer.alloc(Math.max(length, 2 * content.bytes.length))
    content.bytes.copy(other)
    content.bytes = other
  }
  content.bytes.fill(0, length, Math.max(length, content.length))
  content.length = length
}

function remainsOf(directory: Directory, chance: Chance): Contents {
  const names = new Map(directory.kept)
  const surviving = chance.pick([0, 0, directory.pending.length, chance.integer(0, directory.pending.length)])
  for (const { apply } of directory.pending.slice(0, surviving)) apply(names)
  return new Map(
    [...names].map(([name, entry]) => [
      name,
      entry.kind === 'directory' ? remainsOf(entry, chance) : survivorOf(entry, chance),
    ]),
  )
}

function survivorOf({ kept, pending }: File, chance: Chance): Buffer {
  const survival = chance.pick(['none', 'none', 'all', 'some', 'some'])
  const content = contentOf(Buffer.from(kept.bytes.subarray(0, kept.length)))
  for (const { apply } of survival === 'none' ? [] : pending)
    if (survival === 'all') apply(content, ALL)
    else if (chance.happens(0.6)) apply(content, chance.happens(0.5) ? ALL : () => chance.happens(0.5))
  return content.bytes.subarray(0, content.length)
}

/** Puts onto the real disk what remains. */
export function putBack(path: string, contents: Contents): void {
  rmSync(path, { recursive: true, force: true })
  mkdirSync(path, { mode: 0o700 })
  for (const [name, thing] of contents) {
    const there = join(path, name)
    if (thing instanceof Map) putBack(there, thing)
    else writeFileSync(there, thing as Buffer, { mode: 0o600 })
  }
  chmodSync(path, 0o700)
}
