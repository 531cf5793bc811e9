import { type Memory, createMemory } from './wasm.ts'

/*
 * One memory for all output: a chunk is read to it, searched and stamped there, and need not be copied for that. Each of
 * these comes to its end before anything else runs, so that one chunk is enough for all commands.
 */

/** As much as a pipe holds. */
const CHUNK_BYTES = 65_536
/** What is kept back of the chunk before goes here. */
const HEADROOM_BYTES = 4_096
/** What is looked at at a time: a chunk with its headroom, and a little more to be a multiple of twelve. */
export const WINDOW_BYTES = 12 * 5_804
/** Whoever looks at sixteen bytes at once may look beyond the end. */
const MARGIN_BYTES = 64

const CHUNK_AT = MARGIN_BYTES + HEADROOM_BYTES
/** Other bytes are copied to here. */
const WINDOW_AT = CHUNK_AT + CHUNK_BYTES + MARGIN_BYTES

const PAGE_BYTES = 65_536
/** From here on it belongs to the search for secrets, and from there on to the stamper. */
export const SEARCH_AT = 3 * PAGE_BYTES
export const STAMPER_AT = SEARCH_AT + 8 * PAGE_BYTES
const MEMORY_BYTES = STAMPER_AT + 29 * PAGE_BYTES

let memory: Memory | undefined

/** The memory, made when it is needed first; what is never touched takes no room. */
export const chunkMemory = (): Memory => (memory ??= createMemory(MEMORY_BYTES))

/** Where a chunk may be read to. What is there is anybody's as soon as others run. */
export const chunkRoom = (): Buffer => chunkMemory().bytes.subarray(CHUNK_AT, CHUNK_AT + CHUNK_BYTES)

/** The address of what is there from `from` on, at most a window; what lies elsewhere is copied, with so many bytes before it. */
export function addressOf(bytes: Buffer, from: number, before = 0): number {
  const { bytes: all } = chunkMemory()
  if (isInside(bytes)) return bytes.byteOffset + from
  bytes.copy(
    all,
    WINDOW_AT - Math.min(from, before),
    Math.max(0, from - before),
    from + WINDOW_BYTES + before,
  )
  return WINDOW_AT
}

/** The chunk with these bytes before it, where both fit without moving it; it is good as long as the chunk. */
export function prepended(bytes: Buffer, chunk: Buffer): Buffer | undefined {
  if (!isInside(chunk) || chunk.byteOffset !== CHUNK_AT || bytes.length > HEADROOM_BYTES) return undefined
  const from = CHUNK_AT - bytes.length
  bytes.copy(chunkMemory().bytes, from)
  return chunkMemory().bytes.subarray(from, CHUNK_AT + chunk.length)
}

const isInside = ({ buffer }: Buffer): boolean => buffer === memory?.bytes.buffer
