/** The moment, in milliseconds since 1970, that a `Retry-After` header names in seconds or as a date. */
export function retryAfter(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined
  const seconds = Number(header)
  if (Number.isFinite(seconds)) return now + Math.max(0, seconds) * 1000
  const date = Date.parse(header)
  return Number.isNaN(date) ? undefined : date
}
