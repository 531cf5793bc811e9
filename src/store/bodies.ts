import { promisify } from 'node:util'
import { constants, zstdCompress, zstdCompressSync, zstdDecompress } from 'node:zlib'

import type { Handle } from './transaction.ts'

/** Where a raw body lies: `length` bytes of what the row of `bodies` holds once it is decompressed. */
export interface BodyPlace {
  readonly body_id: number
  readonly body_offset: number
  readonly body_length: number
}

/** Bodies that are kept together: they resemble each other, and compress best as one. */
export interface Bundle {
  readonly content: Uint8Array
  readonly lengths: readonly number[]
}

/** Compresses bodies, as many together as make a bundle, in the order given. */
export const bundled = (bodies: readonly Buffer[]): Promise<readonly Bundle[]> =>
  Promise.all(
    together(bodies).map(async (some) => ({
      content: await compressed(some.length === 1 && some[0] ? some[0] : Buffer.concat(some)),
      lengths: some.map(({ length }) => length),
    })),
  )

/** Writes the bundles; answers where each body lies, in the order in which they were bundled. */
export async function insertBodies(
  bundles: readonly Bundle[],
  insert: (content: Uint8Array) => Promise<readonly { readonly id: number }[]>,
): Promise<readonly BodyPlace[]> {
  const places: BodyPlace[] = []
  for (const { content, lengths } of bundles) {
    const [inserted] = await insert(content)
    if (inserted === undefined) throw new Error('The bodies were given no id.')
    let offset = 0
    for (const length of lengths) {
      places.push({ body_id: inserted.id, body_offset: offset, body_length: length })
      offset += length
    }
  }
  return places
}

/** Takes back bundles that were written for nothing. */
export async function deleteBodies(handle: Handle, places: readonly BodyPlace[]): Promise<void> {
  const ids = [...new Set(places.map(({ body_id }) => body_id))]
  if (ids.length > 0) await handle.deleteFrom('bodies').where('id', 'in', ids).execute()
}

/** The raw body, byte for byte. */
export async function readBody(
  handle: Handle,
  { body_id, body_offset, body_length }: BodyPlace,
): Promise<Buffer> {
  const { content } = await handle
    .selectFrom('bodies')
    .select('content')
    .where('id', '=', body_id)
    .executeTakeFirstOrThrow()
  return (await decompress(content)).subarray(body_offset, body_offset + body_length)
}

const MOST_IN_BUNDLE = 1024 * 1024

/** Cuts the row of bodies into bundles. A large body is alone, so that its neighbours are read without it. */
function together(bodies: readonly Buffer[]): Buffer[][] {
  const bundles: Buffer[][] = []
  let room = 0
  for (const body of bodies) {
    const last = bundles.at(-1)
    if (last !== undefined && body.length <= room) last.push(body)
    else {
      bundles.push([body])
      room = MOST_IN_BUNDLE
    }
    room -= body.length
  }
  return bundles
}

const FAST = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }
const compressLater = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)

/** What fits into a bundle at once: 64 deliveries take 0.2 ms, less than the way to the thread pool and back. */
const compressed = async (content: Buffer): Promise<Uint8Array> =>
  content.length <= MOST_IN_BUNDLE ? zstdCompressSync(content, FAST) : compressLater(content, FAST)
