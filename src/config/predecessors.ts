import { closest } from './closest.ts'
import type { Predecessor } from './config.ts'
import type { Path } from './positions.ts'
import type { EnvironmentEntry } from './schema.ts'

interface PredecessorOptions {
  /** Of the repository. */
  readonly path: Path
  readonly complain: (path: Path, message: string) => void
  readonly isBroken: (path: Path) => boolean
}

/**
 * Which environment comes before which, by their names in lower case. Complains about those that could never have a
 * commit: after one that is not there, or in a circle.
 */
export function readPredecessors(
  given: Readonly<Record<string, EnvironmentEntry>>,
  { path, complain, isBroken }: PredecessorOptions,
): ReadonlyMap<string, Predecessor> {
  const spelled = new Map(Object.keys(given).map((name) => [name.toLowerCase(), name]))
  const order = new Map<string, Predecessor>()
  for (const [name, { after, bake }] of Object.entries(given)) {
    const place = [...path, 'environments', name]
    if (after === undefined) {
      if (bake !== undefined && !isBroken([...place, 'after']))
        complain([...place, 'bake'], 'has no effect without after, which names the environment to wait for')
      continue
    }
    const environment = spelled.get(after.toLowerCase())
    if (environment !== undefined) order.set(name.toLowerCase(), { environment, bakeSeconds: bake ?? 0 })
    else if (!isBroken([...path, 'environments', after]))
      complain([...place, 'after'], `is no environment of ${path.at(-1)}: ${suggestion(after, given)}`)
  }
  for (const circle of circlesIn(order)) {
    const names = [...circle, ...circle.slice(0, 1)].map((name) => spelled.get(name) ?? name)
    const first = String(names[0])
    const message =
      circle.length === 1
        ? 'names its own environment: name the one that takes commits before it'
        : `leads back to where it began (${names.join(' after ')}): none of them could ever begin`
    complain([...path, 'environments', first, 'after'], message)
  }
  return order
}

function suggestion(word: string, given: Readonly<Record<string, EnvironmentEntry>>): string {
  const meant = closest(word, Object.keys(given))
  return meant === undefined ? `there are ${Object.keys(given).join(', ')}` : `did you mean ${meant}?`
}

/** Each circle once, from its first environment on. */
function circlesIn(order: ReadonlyMap<string, Predecessor>): string[][] {
  const seen = new Set<string>()
  return [...order.keys()].flatMap((start) => {
    const way: string[] = []
    for (let at: string | undefined = start; at !== undefined && !seen.has(at);) {
      seen.add(at)
      way.push(at)
      at = order.get(at)?.environment.toLowerCase()
      const back = at === undefined ? -1 : way.indexOf(at)
      if (back !== -1) return [way.slice(back)]
    }
    return []
  })
}
