/** Keeps of a text that comes piece by piece what fits: its beginning, and its end, which matters more. */
export interface Excerpt {
  push(bytes: Uint8Array): void
  /** The text, with a line of ours where something was left out. */
  text(): string
}

/** A third of what is kept is the beginning. */
const HEAD_SHARE = 1 / 3
/** For the line that says what was left out. */
const SPARE = 200
const LINE_FEED = 0x0a
/** As wide as a time and the space behind it: a command could have written anything there. */
const BELOW_WORDS = ' '.repeat(25)

/** An excerpt of UTF-8 that takes no more than `most` bytes; what is no UTF-8 becomes U+FFFD. */
export function createExcerpt(most: number): Excerpt {
  const decoder = new TextDecoder()
  const headBytes = Math.floor((most - SPARE) * HEAD_SHARE)
  const tailBytes = most - SPARE - headBytes
  const head: Buffer[] = []
  let tail: Buffer[] = []
  let inHead = 0
  let inTail = 0
  let size = 0

  const add = (text: string): void => {
    const bytes = Buffer.from(text)
    size += bytes.length
    const taken = bytes.subarray(0, headBytes - inHead)
    if (taken.length > 0) head.push(taken)
    inHead += taken.length
    const rest = bytes.subarray(taken.length)
    if (rest.length === 0) return
    tail.push(rest)
    inTail += rest.length
    // More than is shown: what turns out to fit is shown whole.
    while (inTail - (tail[0]?.length ?? 0) >= most) inTail -= tail.shift()?.length ?? 0
  }

  return {
    push: (bytes) => add(decoder.decode(bytes, { stream: true })),
    text() {
      add(decoder.decode())
      const first = Buffer.concat(head)
      tail = [Buffer.concat(tail)]
      const [last = Buffer.alloc(0)] = tail
      if (size <= most) return Buffer.concat([first, last]).toString()
      const shown = upToLine(first)
      const rest = last.subarray(-tailBytes)
      const end = fromLine(rest)
      const isWithinLine = rest[rest.length - end.length - 1] !== LINE_FEED
      const left = (size - shown.length - end.length).toLocaleString('en-US')
      return `${shown.toString()}… ${left} bytes are left out here, since no more has room; the server has the whole log …\n${isWithinLine ? BELOW_WORDS : ''}${end.toString()}`
    },
  }
}

/** Up to the end of its last line; where it is all one line, up to the end of a character. */
function upToLine(bytes: Buffer): Buffer {
  const end = bytes.lastIndexOf(LINE_FEED) + 1
  if (end > 0) return bytes.subarray(0, end)
  let at = bytes.length
  while (at > 0 && isWithinCharacter(bytes, at - 1)) at -= 1
  return Buffer.concat([bytes.subarray(0, Math.max(0, at - 1)), Buffer.from('\n')])
}

/** From the beginning of its first whole line; where it is all one line, of a character. */
function fromLine(bytes: Buffer): Buffer {
  const begin = bytes.indexOf(LINE_FEED) + 1
  if (begin > 0 && begin < bytes.length) return bytes.subarray(begin)
  let at = 0
  while (at < bytes.length && isWithinCharacter(bytes, at)) at += 1
  return bytes.subarray(at)
}

const isWithinCharacter = (bytes: Buffer, at: number): boolean => ((bytes[at] ?? 0) & 0xc0) === 0x80
