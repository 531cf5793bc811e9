import { STAMPER_AT, WINDOW_BYTES, addressOf, chunkMemory } from './chunk-memory.ts'
import {
  type Code,
  type Routine,
  type Run,
  add,
  equalBytes,
  get,
  highestBits,
  i32,
  isLess,
  load,
  repeatWhile,
  set,
  sixteenOf,
  store,
  subtract,
  trailingZeros,
  when,
} from './wasm.ts'

/** Puts a stamp before each line that begins in an output. */
export interface Stamper {
  /** Hands over the stamped output piece by piece; a piece is only good until `take` answers. */
  stamp(output: Buffer, { stamp, isLineStart }: Stamping, take: (piece: Buffer) => void): void
}

interface Stamping {
  /** Of 25 bytes, in ASCII. */
  readonly stamp: string
  /** Whether the output begins with a new line. */
  readonly isLineStart: boolean
}

/** `2026-11-21T10:54:00.000Z` and a space. */
const STAMP_BYTES = 25

const VECTOR_BYTES = 16
const LINE_FEED = 0x0a

/** Where the stamp is, and after it what is stamped: each of its bytes may be a line. */
const STAMP_AT = STAMPER_AT
const OUTPUT_AT = STAMP_AT + 2 * VECTOR_BYTES

/** Makes a stamper. Sixteen bytes at a time, it takes a fifth of what replacing line feeds in a string takes. */
export function createStamper(): Stamper {
  let run: Run | 'without vectors' | undefined
  return {
    stamp(output, { stamp, isLineStart }, take) {
      run ??= assembleIfPossible()
      if (run === 'without vectors') return take(stampedText(output, { stamp, isLineStart }))
      const { bytes: memory } = chunkMemory()
      memory.write(stamp, STAMP_AT, 'latin1')
      for (let from = 0; from < output.length; from += WINDOW_BYTES) {
        const address = addressOf(output, from)
        const to = Math.min(output.length, from + WINDOW_BYTES)
        const isDue = from === 0 ? isLineStart : output[from - 1] === LINE_FEED
        const end = run(address, address + to - from, OUTPUT_AT, isDue ? 1 : 0)
        take(memory.subarray(OUTPUT_AT, end))
      }
    },
  }
}

/** Old processors have no vectors (SSE 4.1), nor those that some virtual machines show, such as kvm64. */
function assembleIfPossible(): Run | 'without vectors' {
  try {
    return chunkMemory().assemble(stamping())
  } catch {
    return 'without vectors'
  }
}

function stampedText(output: Buffer, { stamp, isLineStart }: Stamping): Buffer {
  const text = output.toString('latin1').replaceAll(/\n(?=[^])/g, `\n${stamp}`)
  return Buffer.from(isLineStart && text !== '' ? `${stamp}${text}` : text, 'latin1')
}

// Its parameters, a number and a vector.
const [at, to, out, isDue, feeds, bytes] = [0, 1, 2, 3, 4, 5] as const

const advance = (count: Code): Code[] => [set(at, add(get(at), count)), set(out, add(get(out), count))]

/**
 * Copies what is from `at` to `to`, with the stamp; answers where the copy ends. What it copies beyond
 * that is written over, or nobody's.
 */
const stamping = (): Routine => ({
  parameters: 4,
  numbers: 1,
  vectors: 1,
  body: [
    repeatWhile(isLess(get(at), get(to)), [
      when(get(isDue), [
        store(get(out), load(i32(STAMP_AT))),
        store(
          add(get(out), i32(STAMP_BYTES - VECTOR_BYTES)),
          load(i32(STAMP_AT + STAMP_BYTES - VECTOR_BYTES)),
        ),
        set(out, add(get(out), i32(STAMP_BYTES))),
        set(isDue, i32(0)),
      ]),
      set(bytes, load(get(at))),
      store(get(out), get(bytes)),
      set(feeds, highestBits(equalBytes(get(bytes), sixteenOf(LINE_FEED)))),
      when(
        get(feeds),
        [...advance(add(trailingZeros(get(feeds)), i32(1))), set(isDue, i32(1))],
        advance(i32(VECTOR_BYTES)),
      ),
    ]),
    subtract(get(out), subtract(get(at), get(to))),
  ],
})
