/** The most of these moments that lie within so much time. */
export function mostWithin(moments: readonly number[], ms: number): number {
  const sorted = moments.toSorted((one, other) => one - other)
  let from = 0
  let most = 0
  for (const [index, at] of sorted.entries()) {
    while ((sorted[from] ?? at) <= at - ms) from += 1
    most = Math.max(most, index - from + 1)
  }
  return most
}
