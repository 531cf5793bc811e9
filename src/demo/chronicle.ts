/** What has happened so far, in order, and a way to wait for what has not happened yet. */
export interface Chronicle<Item> {
  readonly items: readonly Item[]
  add(item: Item): void
  /** Resolves with the first item that fits, past or future; rejects after `withinMs`, naming what did come. */
  readonly waitFor: (fits: (item: Item) => boolean, withinMs?: number) => Promise<Item>
  /** Calls the listener with every further item, until the returned function is called. */
  readonly listen: (listener: (item: Item) => void) => () => void
  /** Nothing more will come: whoever waits is told so, and whoever asks from now on. */
  close(): void
}

const WAIT_MS = 5_000
const AT_THE_END = 'before the end'

/** Starts an empty chronicle; `describe` puts an item into one line, for the errors of `waitFor`. */
export function createChronicle<Item>(what: string, describe: (item: Item) => string): Chronicle<Item> {
  const items: Item[] = []
  const listeners = new Set<(item: Item) => void>()
  const waiting = new Set<(reason: string) => void>()
  let isOpen = true
  const listen = (listener: (item: Item) => void) => {
    listeners.add(listener)
    return () => void listeners.delete(listener)
  }
  const arrived = () =>
    items.length === 0
      ? 'nothing arrived'
      : `these arrived:\n${items.map((item) => `  ${describe(item)}`).join('\n')}`

  const missed = (reason: string) => new Error(`No ${what} as expected ${reason}; ${arrived()}`)

  return {
    items,
    listen,
    add(item) {
      items.push(item)
      for (const listener of listeners) listener(item)
    },
    waitFor(fits, withinMs = WAIT_MS) {
      const found = items.find(fits)
      if (found !== undefined) return Promise.resolve(found)
      if (!isOpen) return Promise.reject(missed(AT_THE_END))
      return new Promise((resolve, reject) => {
        const end = () => {
          clearTimeout(timer)
          unlisten()
          waiting.delete(giveUp)
        }
        const giveUp = (reason: string) => {
          end()
          reject(missed(reason))
        }
        const unlisten = listen((item) => {
          if (!fits(item)) return
          end()
          resolve(item)
        })
        const timer = setTimeout(() => giveUp(`within ${withinMs} ms`), withinMs)
        waiting.add(giveUp)
      })
    },
    close() {
      isOpen = false
      for (const giveUp of waiting) giveUp(AT_THE_END)
      listeners.clear()
    },
  }
}
