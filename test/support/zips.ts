import { crc32, deflateRawSync } from 'node:zlib'

/** One entry of an archive, and the lies that it tells. */
export interface ZipEntry {
  readonly name: string
  readonly content?: string | Buffer
  /** Of Unix, type included: 0o120777 is a link. */
  readonly mode?: number
  /** What the archive says, where that is not so. */
  readonly size?: number
  readonly sum?: number
  readonly isEncrypted?: boolean
  readonly method?: number
  readonly offset?: number
}

export const LINK = 0o120777
const FILE = 0o100644
export const EXECUTABLE = 0o100755

/**
 * An archive byte by byte, so that it can be what no tool would make: APPNOTE.TXT of PKWARE, 4.3.7, 4.3.12 and 4.3.16.
 */
export function zipOf(entries: readonly ZipEntry[]): Buffer {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const entry of entries) {
    const content = Buffer.from(entry.content ?? '')
    const method = entry.method ?? (content.length > 100 ? 8 : 0)
    const packed = method === 8 ? deflateRawSync(content) : content
    const name = Buffer.from(entry.name)
    const facts = Buffer.alloc(26)
    facts.writeUInt16LE(20, 0)
    facts.writeUInt16LE(0x800 | (entry.isEncrypted === true ? 1 : 0), 2) // names are UTF-8
    facts.writeUInt16LE(method, 4)
    facts.writeUInt32LE(0x5a21_0000, 6)
    facts.writeUInt32LE(entry.sum ?? crc32(content), 10)
    facts.writeUInt32LE(packed.length, 14)
    facts.writeUInt32LE(entry.size ?? content.length, 18)
    facts.writeUInt16LE(name.length, 22)
    const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), facts, name, packed])
    const rest = Buffer.alloc(14)
    rest.writeUInt32LE(((entry.mode ?? FILE) << 16) >>> 0, 6)
    rest.writeUInt32LE(entry.offset ?? offset, 10)
    const madeBy = Buffer.from([20, 3]) // Unix
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02', 'latin1'), madeBy, facts, rest, name]))
    parts.push(local)
    offset += local.length
  }
  const listed = Buffer.concat(directory)
  const end = Buffer.alloc(18)
  end.writeUInt16LE(entries.length, 4)
  end.writeUInt16LE(entries.length, 6)
  end.writeUInt32LE(listed.length, 8)
  end.writeUInt32LE(offset, 12)
  return Buffer.concat([...parts, listed, Buffer.from('PK\x05\x06', 'latin1'), end])
}
