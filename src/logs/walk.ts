import {
  type Assembled,
  type Code,
  type Routine,
  add,
  and,
  assemble,
  get,
  i32,
  isLess,
  isZero,
  loadByte,
  loadPair,
  repeatWhile,
  set,
  storeNumber,
  when,
} from './wasm.ts'

/** For each pair of bytes how many bytes the walk may go on that comes to its second one; 0: it stops there, and goes on by one. */
export type Steps = Uint8Array

/** A pair's place in `Steps`. */
export const pairOf = (first: number, second: number): number => first | (second << 8)
export const PAIRS = 65_536

/** Walks through bytes from their third one on. */
export interface Walk {
  /** Where it stops, in order. */
  stops(bytes: Buffer, steps: Steps): number[]
}

/** Below it a simple loop is there first; most texts are shorter, and many a server never sees a longer one. */
const WORTHWHILE_BYTES = 4_096

/** What is walked through at a time, after the byte before it. */
const WINDOW_BYTES = 16_384
/**
 * Four quarters are walked side by side: each step waits for the one before it in its own quarter, and the processor does
 * the other three meanwhile, which is 3.5 times as fast.
 */
const LANES = 4
const LONGEST_LANE = WINDOW_BYTES / LANES + LANES
const NUMBER_BYTES = 4

const WINDOW_AT = PAIRS
const STOPS_AT = WINDOW_AT + WINDOW_BYTES + NUMBER_BYTES
const STOPS_BYTES = NUMBER_BYTES * (LONGEST_LANE + 1)
const MEMORY_BYTES = STOPS_AT + LANES * STOPS_BYTES

export function createWalk(): Walk {
  let assembled: Assembled | undefined
  let current: Steps | undefined
  return {
    stops(bytes, steps) {
      if (bytes.length < WORTHWHILE_BYTES) return stopsOf(bytes, steps)
      const { run, memory } = (assembled ??= assemble(walking(), MEMORY_BYTES))
      if (steps !== current) memory.set(steps)
      current = steps
      const stops: number[] = []
      for (let from = 2; from < bytes.length; from += WINDOW_BYTES) {
        const count = bytes.copy(memory, WINDOW_AT, from - 1, from + WINDOW_BYTES) - 1
        run(count >> 2, WINDOW_AT + 1 + count)
        for (let lane = 0; lane < LANES; lane++)
          for (let place = STOPS_AT + lane * STOPS_BYTES; ; place += NUMBER_BYTES) {
            const at = memory.readInt32LE(place)
            if (at === 0) break
            stops.push(at - (WINDOW_AT + 1) + from)
          }
      }
      return stops
    },
  }
}

function stopsOf(bytes: Buffer, steps: Steps): number[] {
  const stops: number[] = []
  for (let at = 2; at < bytes.length;) {
    const step = steps[pairOf(bytes[at - 1] ?? 0, bytes[at] ?? 0)] ?? 0
    if (step === 0) stops.push(at)
    at += step || 1
  }
  return stops
}

/** Its parameters: how long a lane is but for the last one, and where that ends. */
const [length, to] = [0, 1] as const

/** Variables of a lane: where it is and where it ends, its step, and where its next stop is written down. */
const lanes = Array.from({ length: LANES }, (_, lane) => ({
  lane,
  at: 2 + 4 * lane,
  end: 3 + 4 * lane,
  step: 4 + 4 * lane,
  stop: 5 + 4 * lane,
}))
type Lane = (typeof lanes)[number]

const walking = (): Routine => ({
  parameters: 2,
  numbers: 4 * LANES,
  vectors: 0,
  body: [
    ...lanes.flatMap(begin),
    when(get(length), [
      repeatWhile(lanes.map(isOnItsWay).reduce(and), [...lanes.map(look), ...lanes.flatMap(goOn)]),
    ]),
    ...lanes.map((lane) =>
      when(isOnItsWay(lane), [repeatWhile(isOnItsWay(lane), [look(lane), ...goOn(lane)])]),
    ),
    ...lanes.map(({ stop }) => storeNumber(get(stop), i32(0))),
    i32(0),
  ],
})

const begin = ({ lane, at, end, stop }: Lane): Code[] => [
  set(at, lane === 0 ? i32(WINDOW_AT + 1) : get(lanes[lane - 1]?.end ?? 0)),
  set(end, lane === LANES - 1 ? get(to) : add(get(at), get(length))),
  set(stop, i32(STOPS_AT + lane * STOPS_BYTES)),
]

const isOnItsWay = ({ at, end }: Lane): Code => isLess(get(at), get(end))

const look = ({ at, step }: Lane): Code => set(step, loadByte(loadPair(add(get(at), i32(-1)))))

const goOn = ({ at, step, stop }: Lane): Code[] => [
  when(isZero(get(step)), [
    storeNumber(get(stop), get(at)),
    set(stop, add(get(stop), i32(NUMBER_BYTES))),
    set(step, i32(1)),
  ]),
  set(at, add(get(at), get(step))),
]
