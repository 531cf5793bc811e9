/** Which of the 256 bytes belong to it: 1 for those that do. */
export type ByteSet = Uint8Array

/** The bytes of the characters (latin1), and of ranges such as `a-z`. */
export function byteSet(characters: string, ...ranges: readonly string[]): ByteSet {
  const set = new Uint8Array(256)
  for (const byte of Buffer.from(characters, 'latin1')) set[byte] = 1
  for (const range of ranges) set.fill(1, range.charCodeAt(0), range.charCodeAt(range.length - 1) + 1)
  return set
}

/** Every byte that the other set lacks. */
export const allBut = (set: ByteSet): ByteSet => set.map((has) => 1 - has)

/** Where the run of such bytes that starts at `from` ends. */
export function endOfRun(set: ByteSet, bytes: Buffer, from: number, limit = bytes.length): number {
  let at = from
  while (at < limit && set[bytes[at] ?? 0] === 1) at++
  return at
}
