/** Decisions that look random and are the same again for the same seed. */
export interface Chance {
  /** From the first to the last, both included. */
  integer(from: number, to: number): number
  /** Decisions of its own, however many were made before. */
  derive(name: string): Chance
  happens(probability: number): boolean
  pick<const One>(among: readonly [One, ...One[]]): One
}

/** Every seed, a text, gives its own decisions. */
export function createChance(seed: string): Chance {
  const next = generator(seed)
  const integer = (from: number, to: number): number => from + Math.floor(next() * (to - from + 1))
  return {
    integer,
    derive: (name) => createChance(`${seed}/${name}`),
    happens: (probability) => next() < probability,
    pick: (among) => among[integer(0, among.length - 1)] ?? among[0],
  }
}

/** FNV-1a of the seed, then mulberry32: small, and good enough to choose by. */
function generator(seed: string): () => number {
  let state = 0x81_1c_9d_c5
  for (const byte of Buffer.from(seed)) state = Math.imul(state ^ byte, 0x01_00_01_93)
  return () => {
    state = (state + 0x6d_2b_79_f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
