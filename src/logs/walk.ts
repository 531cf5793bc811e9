import { SEARCH_AT, WINDOW_BYTES, addressOf, chunkMemory } from './chunk-memory.ts'
import {
  type Code,
  type Routine,
  type Run,
  add,
  and,
  get,
  i32,
  isLess,
  isNotZero,
  loadByte,
  loadNumber,
  loadPair,
  multiply,
  repeatWhile,
  set,
  shiftLeft,
  shiftRight,
  storeNumber,
  subtract,
  when,
} from './wasm.ts'

/** What a walk looks for, in a form in which it can be found fast. */
export interface Words {
  /** For each pair of bytes, bit by bit: whether a word has it at its first place, its second, its third. */
  readonly pairs: Uint8Array
  /** 1 where the last three bytes of a word are, by what their digest is. */
  readonly ends: Uint8Array
}

/** How many bytes a word has. */
export const WORD_BYTES = 4

/** Words of four bytes; where one has three, any byte may stand before them. */
export function wordsOf(words: Iterable<Buffer>): Words {
  const pairs = new Uint8Array(PAIRS)
  const ends = new Uint8Array(DIGESTS)
  const note = (first: number, second: number, place: number) =>
    (pairs[first | (second << 8)] = (pairs[first | (second << 8)] ?? 0) | (1 << place))
  for (const word of words) {
    const [a = 0, b = 0, c = 0] = word.subarray(-3)
    if (word.length === WORD_BYTES) note(word[0] ?? 0, a, 0)
    else for (let any = 0; any < 256; any++) note(any, a, 0)
    note(a, b, 1)
    note(b, c, 2)
    ends[digestOf(a | (b << 8) | (c << 16))] = 1
  }
  return { pairs, ends }
}

/**
 * Of the pairs that begin at every third byte each word holds one: so few looks are enough, and none waits for the one
 * before it.
 */
const STRIDE = 3

/** Below it a simple loop is there first; most texts are shorter, and many a server never sees a longer one. */
const WORTHWHILE_BYTES = 4_096

const PAIRS = 65_536
const DIGEST_BITS = 14
const DIGESTS = 1 << DIGEST_BITS
/** Any odd number that spreads well. */
const SPREAD = 0x9e3779b1

/** Of three bytes as a number, the first is the lowest one. */
const digestOf = (three: number): number => Math.imul(three, SPREAD) >>> (32 - DIGEST_BITS)

/** So many looks are taken before it is asked whether there are more. */
const LOOKS_AT_ONCE = 4
const NUMBER_BYTES = 4

const PAIRS_AT = SEARCH_AT
const DIGESTS_AT = PAIRS_AT + PAIRS
const PLACES_AT = DIGESTS_AT + DIGESTS
const ENDS_AT = PLACES_AT + NUMBER_BYTES * (WINDOW_BYTES / STRIDE + 1)

/** Made when it is needed first, and what it looks for now. */
let run: Run | undefined
let current: Words | undefined

/** Where a word ends, in order. Some of what it answers may be none; it misses none. */
export function endsIn(bytes: Buffer, words: Words): number[] {
  if (bytes.length < WORTHWHILE_BYTES) return simply(bytes, words)
  const { bytes: memory, assemble } = chunkMemory()
  run ??= assemble(walking())
  if (words !== current) {
    memory.set(words.pairs, PAIRS_AT)
    memory.set(words.ends, DIGESTS_AT)
  }
  current = words
  const ends: number[] = []
  for (let from = 0; from < bytes.length; from += WINDOW_BYTES) {
    const address = addressOf(bytes, from, STRIDE) // a word may begin before the window, and end after it
    const last = run(address, address + Math.min(WINDOW_BYTES, bytes.length - from))
    for (let place = ENDS_AT; place < last; place += NUMBER_BYTES) {
      const end = memory.readInt32LE(place) - address + from
      if (end < bytes.length) ends.push(end)
    }
  }
  return ends
}

function simply(bytes: Buffer, { pairs, ends }: Words): number[] {
  const found: number[] = []
  for (let at = 0; at < bytes.length; at += STRIDE) {
    const places = pairs[(bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8)] ?? 0
    if (places === 0) continue
    for (let place = 2; place >= 0; place--) {
      const end = at + STRIDE - place
      if ((places & (1 << place)) === 0 || end < 2 || end >= bytes.length) continue
      const three = (bytes[end - 2] ?? 0) | ((bytes[end - 1] ?? 0) << 8) | ((bytes[end] ?? 0) << 16)
      if (ends[digestOf(three)] === 1) found.push(end)
    }
  }
  return found
}

/** Its parameters: from where it walks, and to where. */
const [at, to] = [0, 1] as const
const [next, places, end] = [2, 3, 4] as const

/** Nothing in it depends on what the bytes are, but for what it writes: the processor never has to guess. */
const walking = (): Routine => ({
  parameters: 2,
  numbers: 3,
  vectors: 0,
  body: [
    set(next, i32(PLACES_AT)),
    repeatWhile(isLess(get(at), get(to)), [
      ...Array.from({ length: LOOKS_AT_ONCE }, (_, look) => lookAt(STRIDE * look)).flat(),
      set(at, add(get(at), i32(STRIDE * LOOKS_AT_ONCE))),
    ]),
    set(to, get(next)),
    set(next, i32(PLACES_AT)),
    set(end, i32(ENDS_AT)),
    when(isLess(get(next), get(to)), [
      repeatWhile(isLess(get(next), get(to)), [
        set(at, loadNumber(get(next))),
        set(places, loadByte(loadPair(get(at)), PAIRS_AT)),
        ...[2, 1, 0].flatMap(endAfter),
        set(next, add(get(next), i32(NUMBER_BYTES))),
      ]),
    ]),
    get(end),
  ],
})

/** Writes the place down, and lets it stand where its pair is one of a word. */
const lookAt = (after: number): Code[] => [
  set(places, loadByte(loadPair(get(at), after), PAIRS_AT)),
  storeNumber(get(next), add(get(at), i32(after))),
  set(next, add(get(next), shiftLeft(isNotZero(get(places)), 2))),
]

const endAfter = (place: number): Code[] => {
  const three = shiftRight(loadNumber(subtract(get(at), i32(place))), 8)
  const digest = shiftRight(multiply(three, i32(SPREAD | 0)), 32 - DIGEST_BITS)
  const isEnd = and(shiftRight(get(places), place), loadByte(digest, DIGESTS_AT))
  return [
    storeNumber(get(end), add(get(at), i32(STRIDE - place))),
    set(end, add(get(end), shiftLeft(isEnd, 2))),
  ]
}
