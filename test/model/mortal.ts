/** One life of the server, as far as it can end at any call to its store. */
export interface Death {
  readonly isOver: boolean
  /** Resolves when it is over. */
  readonly over: Promise<void>
  /** Aborted then. */
  readonly signal: AbortSignal
  /** It is over now. */
  die(): void
  /** It will be over at the call after so many others: before that has done anything, or before it is answered. */
  dieAt(call: Doom | undefined): void
  /** Resolves when no call is under way any more. */
  quiet(): Promise<void>
}

export interface Doom {
  readonly after: number
  readonly moment: 'before' | 'answer'
}

/** The same parts, which do and answer nothing any more once the life is over: who waits for them waits for ever. */
export function mortal<Parts extends object>(parts: Parts): { readonly parts: Parts; readonly death: Death } {
  const abort = new AbortController()
  const over = Promise.withResolvers<void>()
  const underWay = new Set<Promise<unknown>>()
  let doom: Doom | undefined

  const die = (): void => {
    abort.abort(new Error('this life is over'))
    over.resolve()
  }
  const never = (): Promise<never> => new Promise(() => {})
  const call = (work: () => Promise<unknown>): Promise<unknown> => {
    if (abort.signal.aborted) return never()
    const isLast = doom?.after === 0
    const moment = doom?.moment
    if (doom !== undefined) doom = isLast ? undefined : { ...doom, after: doom.after - 1 }
    if (isLast && moment === 'before') {
      die()
      return never()
    }
    const done = work()
    const ended = done.then(
      () => isLast && die(),
      () => {},
    )
    underWay.add(ended)
    void ended.then(() => underWay.delete(ended))
    return ended.then(() => (abort.signal.aborted ? never() : done))
  }
  const wrap = <Target extends object>(target: Target): Target =>
    new Proxy(target, {
      get(_, key) {
        const value: unknown = Reflect.get(target, key)
        if (typeof value === 'function')
          return (...given: unknown[]) => call(() => Reflect.apply(value, target, given) as Promise<unknown>)
        return typeof value === 'object' && value !== null ? wrap(value) : value
      },
    })
  return {
    parts: wrap(parts),
    death: {
      get isOver() {
        return abort.signal.aborted
      },
      over: over.promise,
      signal: abort.signal,
      die,
      dieAt(next) {
        doom = next
      },
      async quiet() {
        while (underWay.size > 0) await Promise.all(underWay)
      },
    },
  }
}
