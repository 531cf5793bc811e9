/** What waits to be written to a log, in pages that are used again: a flood takes no more memory than a drop. */
export interface Pages {
  /** Adds a line of our own, of `LONGEST_WHOLE` bytes at most. */
  add(line: Buffer): void
  /** Adds output, a stamp before each line that begins in it. */
  addStamped(output: Buffer, stamp: string, isLineStart: boolean): void
  /** How many bytes wait. */
  size(): number
  /** The oldest of them, none if nothing waits. They stay where they are until they are dropped. */
  first(): Buffer
  /** So many of the oldest wait no longer. */
  drop(count: number): void
}

export const LONGEST_WHOLE = 32_768

/** As much as is written at a time. */
const PAGE_BYTES = 262_144
/** Beyond it no line begins, so that a page ends where a line does. */
const ENOUGH_BYTES = PAGE_BYTES - LONGEST_WHOLE
/** So many are kept to be used again. */
const MOST_SPARE = 4

const LINE_FEED = 0x0a

interface Page {
  readonly bytes: Buffer
  readonly view: DataView
  /** Up to where it is written, and up to where it is filled. */
  start: number
  end: number
}

export function createPages(): Pages {
  let pages: Page[] = []
  const spare: Page[] = []
  let size = 0

  const pageFor = (isLineStart: boolean): Page => {
    const last = pages.at(-1)
    if (last !== undefined && last.end < (isLineStart ? ENOUGH_BYTES : PAGE_BYTES)) return last
    const page = spare.pop() ?? emptyPage()
    pages.push(page)
    return page
  }
  return {
    size: () => size,
    add(line) {
      const page = pageFor(true)
      page.end += line.copy(page.bytes, page.end)
      size += line.length
    },
    addStamped(output, stamp, isLineStart) {
      const reading = { view: viewOf(output), at: 0, isLineStart }
      const inWords = stampOf(stamp)
      while (reading.at < output.length) {
        const page = pageFor(reading.isLineStart)
        const before = page.end
        copyLines(reading, page, inWords)
        size += page.end - before
      }
    },
    first() {
      const [page] = pages
      return page === undefined ? NOTHING : page.bytes.subarray(page.start, page.end)
    },
    drop(count) {
      const [page] = pages
      if (page === undefined) return
      page.start += count
      size -= count
      if (page.start < page.end) return
      pages = pages.slice(1)
      page.start = page.end = 0
      if (spare.length < MOST_SPARE) spare.push(page)
    },
  }
}

const NOTHING = Buffer.alloc(0)

function emptyPage(): Page {
  const bytes = Buffer.allocUnsafeSlow(PAGE_BYTES)
  return { bytes, view: viewOf(bytes), start: 0, end: 0 }
}

const viewOf = ({ buffer, byteOffset, length }: Buffer) => new DataView(buffer, byteOffset, length)

/** A stamp of ASCII, with bytes to spare for the last word. */
interface Stamp {
  readonly words: DataView
  readonly size: number
}

const stampOf = (text: string): Stamp => ({
  words: viewOf(Buffer.from(text.padEnd(text.length + WORD_BYTES))),
  size: text.length,
})

/** How far the output is copied. */
interface Reading {
  readonly view: DataView
  at: number
  isLineStart: boolean
}

const WORD_BYTES = 4
const WORDS_BYTES = 2 * WORD_BYTES

/** Copies until all is copied or the page is full: two words at a time, and what is left of them byte by byte. */
function copyLines(reading: Reading, page: Page, stamp: Stamp): void {
  const { view: from } = reading
  const { view: to } = page
  const last = from.byteLength
  let { at, isLineStart } = reading
  let { end } = page
  while (at < last && end < (isLineStart ? ENOUGH_BYTES : PAGE_BYTES)) {
    if (isLineStart) {
      for (let i = 0; i < stamp.size; i += WORD_BYTES)
        to.setInt32(end + i, stamp.words.getInt32(i, true), true)
      end += stamp.size
      isLineStart = false
    }
    while (at + WORDS_BYTES <= last && end + WORDS_BYTES <= PAGE_BYTES) {
      const low = from.getInt32(at, true)
      const high = from.getInt32(at + WORD_BYTES, true)
      to.setInt32(end, low, true)
      to.setInt32(end + WORD_BYTES, high, true)
      const inLow = lineFeedsIn(low)
      const inHigh = lineFeedsIn(high)
      if ((inLow | inHigh) === 0) {
        at += WORDS_BYTES
        end += WORDS_BYTES
        continue
      }
      const count = bytesToFirst(inLow, inHigh)
      at += count
      end += count
      isLineStart = true
      break
    }
    while (!isLineStart && at < last && end < PAGE_BYTES) {
      const byte = from.getUint8(at)
      to.setUint8(end, byte)
      isLineStart = byte === LINE_FEED
      at += 1
      end += 1
    }
  }
  reading.at = at
  reading.isLineStart = isLineStart
  page.end = end
}

/** The highest bit of each byte that is a line feed. What is borrowed from reaches only bytes above the first of them. */
function lineFeedsIn(word: number): number {
  const others = word ^ FOUR_LINE_FEEDS
  return (others - 0x01010101) & ~others & 0x80808080
}

const FOUR_LINE_FEEDS = 0x0a0a0a0a

/** How many of the eight bytes go to the end of the line. */
const bytesToFirst = (inLow: number, inHigh: number): number =>
  inLow === 0 ? WORD_BYTES + 1 + firstOf(inHigh) : 1 + firstOf(inLow)

const firstOf = (feeds: number): number => (31 - Math.clz32(feeds & -feeds)) >> 3
