import { placeToCut } from './segments.ts'

/** What waits to be written to a log, in pages that are used again: a flood takes no more memory than a drop. */
export interface Pages {
  add(bytes: Buffer): void
  /** How many bytes wait. */
  size(): number
  /** All of them, the oldest first. They stay where they are until they are dropped. */
  all(): Buffer[]
  /** So many of the oldest wait no longer. */
  drop(count: number): void
}

const PAGE_BYTES = 262_144
/** A page that has so much ends with the next line. */
const ENOUGH_BYTES = PAGE_BYTES - 32_768
/** So many are kept to be used again: even a flood of empty lines, each with a time stamp, needs no more. */
const MOST_SPARE = 12

const LINE_FEED = 0x0a

interface Page {
  readonly bytes: Buffer
  /** Up to where it is written, and up to where it is filled. */
  start: number
  end: number
}

export function createPages(): Pages {
  let pages: Page[] = []
  const spare: Page[] = []
  let size = 0

  const roomy = (): Page => {
    const last = pages.at(-1)
    if (last !== undefined && !isFull(last)) return last
    const page = spare.pop() ?? { bytes: Buffer.allocUnsafeSlow(PAGE_BYTES), start: 0, end: 0 }
    pages.push(page)
    return page
  }
  return {
    size: () => size,
    add(bytes) {
      for (let at = 0; at < bytes.length;) {
        const page = roomy()
        const left = bytes.subarray(at)
        const room = PAGE_BYTES - page.end
        const count = left.copy(page.bytes, page.end, 0, left.length > room ? placeToCut(left, room) : room)
        page.end += count
        size += count
        at += count
      }
    },
    all: () => pages.map(({ bytes, start, end }) => bytes.subarray(start, end)),
    drop(count) {
      let left = count
      size -= count
      for (const page of pages) {
        const some = Math.min(left, page.end - page.start)
        page.start += some
        left -= some
        if (page.start < page.end) break
        page.start = page.end = 0
        if (spare.length < MOST_SPARE) spare.push(page)
      }
      pages = pages.filter(({ end }) => end > 0)
    },
  }
}

const isFull = ({ bytes, end }: Page): boolean =>
  end === PAGE_BYTES || (end >= ENOUGH_BYTES && bytes[end - 1] === LINE_FEED)
