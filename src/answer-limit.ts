/**
 * A fetch that reads every answer whole and holds at most so many bytes of it. A larger success is an error, as
 * is one that breaks off; of a larger refusal the beginning will do.
 */
export const fetchAtMost =
  (mostBytes: number, fetchThere: typeof fetch = fetch): typeof fetch =>
  async (input, init) => {
    const response = await fetchThere(input, init)
    const { status, statusText, headers, url } = response
    const body = await bodyOf(response, mostBytes)
    const read = new Response(body, { status, statusText, headers })
    return Object.defineProperty(read, 'url', { value: url })
  }

/** Null where there is none, which some statuses insist on. */
async function bodyOf({ body, ok }: Response, mostBytes: number): Promise<Buffer<ArrayBuffer> | null> {
  if (body === null) return null
  const chunks: Uint8Array[] = []
  let left = mostBytes
  // Leaving the loop closes the connection: nobody waits for the rest.
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    if (chunk.length > left && ok) throw new Error(`the answer is larger than ${mostBytes} bytes`)
    chunks.push(chunk.subarray(0, left))
    left -= chunk.length
    if (left < 0) break
  }
  return Buffer.concat(chunks)
}
