import type { Shape } from './shapes.ts'
import { type Words, WORD_BYTES, endsIn, wordsOf } from './walk.ts'

/** Finds the places where a secret may lie, in one pass however many secrets there are. */
export interface Search {
  /** Calls back for every place where a shape's anchor may be; the shape itself decides. */
  each(bytes: Buffer, visit: (shape: Shape, at: number) => void): void
  /** The first of the last bytes that may begin a secret whose anchor is not seen yet; the length if none. */
  undecidedFrom(bytes: Buffer): number
}

/** Prepares the search. It looks for the anchors alone; what looks like one is decided here. */
export function createSearch(shapes: readonly Shape[]): Search {
  const anchors = anchorTable(shapes)
  const heads = headTable(shapes)
  const longest = shapes.reduce((most, shape) => Math.max(most, shape.longest), 0)
  return {
    each: (bytes, visit) => eachAnchor(anchors, bytes, visit),
    undecidedFrom(bytes) {
      const last = bytes.length - 1
      for (let at = Math.max(0, bytes.length - longest); at < last; at++)
        if (heads.pairs[pairAt(bytes, at)] === 1 && isUndecided(heads, bytes, at)) return at
      return last >= 0 && heads.bytes[bytes[last] ?? 0] === 1 ? last : bytes.length
    },
  }
}

interface AnchorTable {
  readonly words: Words
  /** By the four bytes that end there. */
  readonly ending: ReadonlyMap<number, readonly Candidate[]>
}
interface Candidate {
  readonly shape: Shape
  /** From the end of the anchor back to the beginning of the match. */
  readonly back: number
}

function anchorTable(shapes: readonly Shape[]): AnchorTable {
  const anchors: Buffer[] = []
  const ending = new Map<number, Candidate[]>()
  for (const shape of shapes)
    for (const anchor of shape.anchors) {
      const bytes = Buffer.from(anchor, 'latin1')
      const last = bytes.length - 1
      const candidate = { shape, back: last + shape.anchorAt }
      anchors.push(bytes)
      if (bytes.length === WORD_BYTES) addOnce(ending, wordEnding(bytes, last), candidate)
      else
        for (let before = 0; before < 256; before++)
          // the byte before it may be any
          addOnce(ending, (before << 24) | wordEnding(bytes, last), candidate)
    }
  return { words: wordsOf(anchors), ending }
}

function addOnce(table: Map<number, Candidate[]>, word: number, candidate: Candidate): void {
  const others = table.get(word) ?? []
  const isKnown = others.some((other) => other.shape === candidate.shape && other.back === candidate.back)
  if (!isKnown) table.set(word, [...others, candidate])
}

function eachAnchor(
  { words, ending }: AnchorTable,
  bytes: Buffer,
  visit: (shape: Shape, at: number) => void,
) {
  for (const end of endsIn(bytes, words))
    for (const { shape, back } of ending.get(wordEnding(bytes, end)) ?? [])
      if (end >= back) visit(shape, end - back)
}

const wordEnding = (bytes: Buffer, at: number) =>
  ((bytes[at - 3] ?? 0) << 24) | ((bytes[at - 2] ?? 0) << 16) | ((bytes[at - 1] ?? 0) << 8) | (bytes[at] ?? 0)

interface HeadTable {
  /** By its first two bytes: 1 where a secret may begin. */
  readonly pairs: Uint8Array
  readonly bytes: Uint8Array
  readonly byPair: ReadonlyMap<number, readonly Shape[]>
}

function headTable(shapes: readonly Shape[]): HeadTable {
  const pairs = new Uint8Array(PAIRS)
  const bytes = new Uint8Array(256)
  const byPair = new Map<number, Shape[]>()
  for (const shape of shapes)
    for (const text of shape.heads) {
      const head = Buffer.from(text, 'latin1')
      const pair = pairAt(head, 0)
      pairs[pair] = 1
      bytes[head[0] ?? 0] = 1
      byPair.set(pair, [...(byPair.get(pair) ?? []), shape])
    }
  return { pairs, bytes, byPair }
}

const isUndecided = ({ byPair }: HeadTable, bytes: Buffer, at: number) =>
  (byPair.get(pairAt(bytes, at)) ?? []).some((shape) => shape.find(bytes, at, false) === 'undecided')

const PAIRS = 65_536
const pairAt = (bytes: Buffer, at: number) => (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8)
