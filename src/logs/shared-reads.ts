/**
 * Reads pieces that many want at the same time once, and remembers the newest of them; `isLasting` says which ones will
 * never be read otherwise.
 */
export function createSharedReads<Piece>(
  most: number,
  isLasting: (piece: Piece) => boolean,
): (key: string, read: () => Promise<Piece>) => Promise<Piece> {
  const pieces = new Map<string, Promise<Piece>>()
  return (key, read) => {
    const known = pieces.get(key)
    if (known !== undefined) return known
    const piece = read()
    pieces.set(key, piece)
    const [oldest] = pieces.keys()
    if (pieces.size > most && oldest !== undefined) pieces.delete(oldest)
    const forget = (): void => {
      if (pieces.get(key) === piece) pieces.delete(key)
    }
    piece.then((read) => isLasting(read) || forget(), forget)
    return piece
  }
}
