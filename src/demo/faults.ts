import type { Chronicle } from './chronicle.ts'

/** What goes wrong instead of an answer. `reset-after-applying`: it is done as asked, but nobody hears of it. */
type Fault = ScriptedAnswer | 'reset' | 'hang' | 'reset-after-applying'

export interface ScriptedAnswer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** Text is sent as it is, everything else as JSON. */
  readonly body?: unknown
}

/** Which requests are meant, and how many of them: the next one, unless `times` says more. */
export interface Aim {
  readonly method?: string
  readonly path?: RegExp
  readonly times?: number
}

interface Holding<Item> {
  /** Resolves when a request stands at the gate. */
  arrived(withinMs?: number): Promise<Item>
  /** Opens the gate for those who stand there and all who come. */
  release(): void
}

export interface Faults<Item> {
  readonly fail: (aim: Aim & { readonly with: Fault }) => void
  /** Makes requests wait: before they are done, or with `before: 'answer'` when only the answer is missing. */
  readonly hold: (aim?: Aim & { readonly before?: 'doing' | 'answer' }) => Holding<Item>
  /** Forgets every fault that has not happened yet, and opens every gate. */
  readonly mend: () => void
  /** The fault for this request, if one was scripted; each call uses one up. */
  next(request: Target): Fault | undefined
  /** Waits while this request is held. */
  gate(item: Item, request: Target, before: 'doing' | 'answer'): Promise<void>
}

interface Target {
  readonly method: string
  readonly path: string
}

/** Scripted faults and gates for one double. */
export function createFaults<Item>(chronicle: () => Chronicle<Item>): Faults<Item> {
  const faults: { aim: Aim; left: number; with: Fault }[] = []
  const holds: {
    aim: Aim
    left: number
    before: 'doing' | 'answer'
    open: Promise<void>
    release(): void
    seen: Chronicle<Item>
  }[] = []
  return {
    fail({ with: fault, ...aim }) {
      faults.push({ aim, left: aim.times ?? 1, with: fault })
    },
    hold({ before = 'doing', ...aim } = {}) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const seen = chronicle()
      const hold = {
        aim,
        left: aim.times ?? 1,
        before,
        open: promise,
        release() {
          hold.left = 0
          resolve()
        },
        seen,
      }
      holds.push(hold)
      return { arrived: (withinMs) => seen.waitFor(() => true, withinMs), release: hold.release }
    },
    mend() {
      faults.length = 0
      for (const { release } of holds.splice(0)) release()
    },
    next(request) {
      return take(faults, request)?.with
    },
    async gate(item, request, before) {
      const hold = take(
        holds.filter((one) => one.before === before),
        request,
      )
      hold?.seen.add(item)
      await hold?.open
    },
  }
}

function take<One extends { aim: Aim; left: number }>(all: readonly One[], request: Target): One | undefined {
  const found = all.find(({ aim, left }) => left > 0 && hits(aim, request))
  if (found !== undefined) found.left -= 1
  return found
}

const hits = ({ method, path }: Aim, request: Target): boolean =>
  (method === undefined || method === request.method) && (path === undefined || path.test(request.path))
