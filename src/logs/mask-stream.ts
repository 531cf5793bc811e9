import { type ByteSet, endOfRun } from './byte-set.ts'
import { prepended } from './chunk-memory.ts'
import { type KeyPart, type OpenKey, LONGEST_KEY, readKey } from './private-key.ts'
import type { Search } from './search.ts'
import type { Span } from './shapes.ts'

/** What stands where a secret was. */
const MASK = '•••'

/** Masks a stream of bytes. What comes out does not depend on how the stream was cut into chunks. */
export interface MaskStream {
  /**
   * Answers what is safe to show, until the next chunk comes; keeps back only last bytes with which a secret may begin.
   */
  push(chunk: Buffer): Buffer
  /** What `flush` would answer now; changes nothing. */
  peek(): Buffer
  /** Ends the text: answers what was kept back. The next chunk begins a new text. */
  flush(): Buffer
}

/*
 * Secrets are spans of the whole text; spans that overlap or touch become one mask. At the end of each chunk
 * `hold` is the first byte at which an undecided secret may begin. What is before it is written; a match that
 * begins at it or later is found again with the next chunk. A match that begins before it and reaches beyond
 * is carried over.
 */
export function createMaskStream(search: () => Search): MaskStream {
  let state = START
  const join = createJoin()
  const advance = (bytes: Buffer, isWhole: boolean) => {
    const [next, output] = maskNext(state, bytes, search(), isWhole)
    state = next
    return output
  }
  return {
    push: (chunk) => advance(join(state.held, chunk), false),
    peek: () => maskNext(state, state.held, search(), true)[1],
    flush() {
      const output = advance(state.held, true)
      state = START
      return output
    },
  }
}

/** Masks a text that is there as a whole; answers the same bytes when there is nothing to mask. */
export const maskWhole = (text: Buffer, search: Search): Buffer => maskNext(START, text, search, true)[1]

interface State {
  readonly held: Buffer
  readonly carried: readonly Carried[]
  /** Whether the last thing written was a mask: the next one would be the same. */
  readonly afterMask: boolean
  readonly key: OpenKey | undefined
}

/** A secret that goes on after what was written. */
interface Carried extends Span {
  /** Goes on with these bytes if it reaches the end of what is held. */
  readonly rest: ByteSet | undefined
}

const EMPTY = Buffer.alloc(0)
const MASK_BYTES = Buffer.from(MASK)
const START: State = { held: EMPTY, carried: [], afterMask: false, key: undefined }

/** Of many chunks something is kept back: joining them in the same place leaves nothing to be collected. */
function createJoin() {
  let place = EMPTY
  return (held: Buffer, chunk: Buffer): Buffer => {
    const joined = held.length === 0 ? chunk : prepended(held, chunk)
    if (joined !== undefined) return joined
    const size = held.length + chunk.length
    if (place.length < size) place = Buffer.allocUnsafeSlow(2 * size)
    held.copy(place)
    chunk.copy(place, held.length)
    return place.subarray(0, size)
  }
}

/** Masks the bytes, which begin with those that were held. */
function maskNext(state: State, bytes: Buffer, search: Search, isWhole: boolean): [State, Buffer] {
  const found = findMatches(bytes, search, isWhole)
  const { hold, lines, open } = findKeys(bytes, state.key, found, isWhole)
  const secrets = [
    ...state.carried.map((secret) => goOn(bytes, secret, state.held.length)),
    ...found.matches.filter(({ at, beginsKey }) => at < hold && !beginsKey),
    ...lines,
  ].toSorted(byStart)
  const { output, afterMask } = write(bytes, secrets, hold, state.afterMask)
  const held = hold === bytes.length ? EMPTY : Buffer.from(bytes.subarray(hold))
  return [{ held, carried: carry(secrets, hold, bytes.length), afterMask, key: open }, output]
}

interface Found {
  readonly matches: readonly Match[]
  readonly hold: number
}
interface Match extends Carried {
  /** Where it begins, which may be before the bytes to mask. */
  readonly at: number
  readonly beginsKey: boolean
}

const byStart = (one: Span, other: Span) => one.start - other.start

function findMatches(bytes: Buffer, search: Search, isWhole: boolean): Found {
  const matches: Match[] = []
  const endOfRest = rememberRuns(bytes)
  let hold = isWhole ? bytes.length : search.undecidedFrom(bytes)
  search.each(bytes, ({ find, rest, beginsKey = false }, at) => {
    const found = find(bytes, at, isWhole)
    if (typeof found === 'object')
      matches.push({ at, start: found.start, end: endOfRest(rest, found.end), rest, beginsKey })
    else if (found === 'undecided' && !isWhole) hold = Math.min(hold, at)
  })
  return { matches, hold }
}

/** Walks no run twice: a text made of nothing but beginnings of secrets would take quadratic time. */
function rememberRuns(bytes: Buffer) {
  const runs = new Map<ByteSet, Span>()
  return (set: ByteSet | undefined, from: number): number => {
    if (set === undefined) return from
    const known = runs.get(set)
    if (known && known.start <= from && from <= known.end) return known.end
    const end = endOfRun(set, bytes, from)
    runs.set(set, { start: from, end })
    return end
  }
}

/** The lines of private keys; a key that breaks off may make us wait earlier. */
function findKeys(bytes: Buffer, open: OpenKey | undefined, found: Found, isWhole: boolean) {
  const begun = found.matches
    .filter(({ at, beginsKey }) => beginsKey && at < found.hold)
    .toSorted(byStart)
    .map(({ start, end }) => ({ start, from: end, limit: end + LONGEST_KEY }))
  const keys: (KeyPart & OpenKey)[] = []
  for (const { start, from, limit } of open === undefined ? begun : [{ start: 0, ...open }, ...begun])
    if (start >= (keys.at(-1)?.stop ?? 0))
      keys.push({ from, limit, ...readKey(bytes, { from, limit }, isWhole) })
  const last = keys.at(-1)
  const hold = Math.min(found.hold, last?.undecidedFrom ?? found.hold)
  const goesOn = last !== undefined && (last.undecidedFrom !== undefined || last.stop > hold)
  const lines = keys.flatMap((key) => key.lines).filter(({ start }) => start < hold)
  return {
    lines: lines.map((line): Carried => ({ ...line, rest: undefined })),
    hold,
    open: goesOn ? { from: Math.max(0, last.from - hold), limit: last.limit - hold } : undefined,
  }
}

const goOn = (bytes: Buffer, { start, end, rest }: Carried, held: number): Carried => ({
  start,
  end: rest && end === held ? endOfRun(rest, bytes, held) : end,
  rest,
})

function write(bytes: Buffer, secrets: readonly Span[], hold: number, afterMask: boolean) {
  const output: Buffer[] = []
  let at = 0
  let isMasked = afterMask
  const show = (to: number) => {
    if (to <= at) return
    output.push(bytes.subarray(at, to))
    isMasked = false
  }
  for (const { start, end } of secrets) {
    if (start >= hold || end <= at) continue
    show(start)
    if (!isMasked) output.push(MASK_BYTES)
    isMasked = true
    at = end
  }
  show(hold)
  return { output: whole(output), afterMask: isMasked }
}

const whole = (parts: readonly Buffer[]) => (parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts))

/** Secrets that go on after `hold`, counted from there; of those that have begun, one for each way to go on. */
function carry(secrets: readonly Carried[], hold: number, length: number): readonly Carried[] {
  const begun = new Map<ByteSet | undefined, Carried>()
  const later: Carried[] = []
  for (const { start, end, rest } of secrets) {
    const isOver = end <= hold && !(rest && end === length)
    if (isOver) continue
    const secret = { start: Math.max(0, start - hold), end: end - hold, rest }
    if (secret.start > 0) later.push(secret)
    else if ((begun.get(rest)?.end ?? -1) < secret.end) begun.set(rest, secret)
  }
  return [...begun.values(), ...later]
}
