/**
 * Lets so many through in one turn of the event loop, the others in the next ones: between two turns everybody
 * else is served, and new connections are taken, of which there is one in each turn.
 */
export function createTurns(most: number): () => Promise<void> {
  let left = most
  let isNewTurnDue = false
  let waiting: (() => void)[] = []

  const expectNewTurn = (): void => {
    if (!isNewTurnDue) setImmediate(begin)
    isNewTurnDue = true
  }
  const begin = (): void => {
    isNewTurnDue = false
    const next = waiting.slice(0, most)
    waiting = waiting.slice(most)
    left = most - next.length
    if (next.length > 0) expectNewTurn()
    for (const pass of next) pass()
  }
  return () =>
    new Promise((resolve) => {
      expectNewTurn()
      if (left === 0) waiting.push(resolve)
      else {
        left -= 1
        resolve()
      }
    })
}
