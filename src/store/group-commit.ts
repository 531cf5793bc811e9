export interface GroupOptions {
  /** The largest group. */
  readonly most?: number
  /** Whether it was one item that could not be written, rather than anything at all. */
  isOfOneItem(cause: unknown): boolean
}

/** Whoever has waited for so long waits for nobody else. */
const MOST_GATHERING_MS = 10

/**
 * Gathers what arrives while the last group is being written, and writes it as one group: one sync to the
 * disk for many deliveries. Each caller gets its own answer, or its own error.
 */
export function createGroupCommit<Item, Answer>(
  write: (items: readonly Item[]) => Promise<readonly Answer[]>,
  { most = 200, isOfOneItem }: GroupOptions,
): (item: Item) => Promise<Answer> {
  interface Waiting {
    readonly item: Item
    resolve(answer: Answer): void
    reject(cause: unknown): void
  }
  let waiting: Waiting[] = []
  let writing = false

  const settle = async (group: readonly Waiting[]): Promise<void> => {
    try {
      const answers = await write(group.map(({ item }) => item))
      group.forEach(({ resolve }, index) => resolve(answers[index] as Answer))
    } catch (cause) {
      const [only] = group
      if (group.length === 1) only?.reject(cause)
      else if (!isOfOneItem(cause)) for (const one of group) one.reject(cause)
      // One that cannot be written must not take the others with it.
      else for (const one of group) await settle([one])
    }
  }
  const drain = async (): Promise<void> => {
    writing = true
    while (waiting.length > 0) {
      const group = waiting.slice(0, most)
      waiting = waiting.slice(most)
      await settle(group)
    }
    writing = false
  }
  /** Waits for the others of this turn of the event loop, and of the next where there were any. */
  const gather = (before: number, until: number): void =>
    void setImmediate(() => {
      const count = waiting.length
      if (count > before && count < most && performance.now() < until) gather(count, until)
      else void drain()
    })
  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject })
      if (waiting.length === 1 && !writing) gather(1, performance.now() + MOST_GATHERING_MS)
    })
}
