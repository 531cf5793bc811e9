import { type MaskStream, createMaskStream, maskWhole } from './mask-stream.ts'
import { type Search, createSearch } from './search.ts'
import { formsOf } from './secret-forms.ts'
import { type Shape, SELF_EVIDENT, knownShape, wrappedShape } from './shapes.ts'

/**
 * Hides secrets wherever text leaves: those it knows, in every usual spelling, and those that give
 * themselves away (tokens of GitHub, addresses of Slack, passwords in URLs, authorization headers, private keys).
 */
export interface Masker {
  /**
   * Learns more secrets, also for streams that are open. Nothing is forgotten: a rotated secret stays masked; but of those
   * that live for hours, such as the tokens of a role, the newest are enough.
   */
  readonly add: (secrets: readonly string[], lifetime?: 'hours') => void
  /** Learns a secret that lives for an hour, say; the answer forgets it. */
  readonly lend: (secret: string) => () => void
  readonly mask: (text: string) => string
  readonly stream: () => MaskStream
}

/** Makes a masker that knows these secrets. Words of fewer than six characters are none. */
export function createMasker(secrets: readonly string[]): Masker {
  const known = new Map<string, Shape>()
  const lent = new Set<ReadonlyMap<string, Shape>>()
  let search: Search | undefined
  const shapes = () => [
    ...SELF_EVIDENT,
    ...[known, ...lent, ...passing.values()].flatMap((one) => [...one.values()]),
  ]
  const current = () => (search ??= createSearch(shapes()))
  const learned = new Set<string>()
  const add = (more: readonly string[], lifetime?: 'hours') => {
    for (const secret of more)
      if (lifetime === 'hours') addPassing(secret)
      else if (!learned.has(secret)) {
        learned.add(secret) // every run says its own again
        learn(secret, known)
        search = undefined
      }
  }
  const passing = new Map<string, ReadonlyMap<string, Shape>>()
  const addPassing = (secret: string) => {
    const own = passing.get(secret) ?? learn(secret, new Map())
    if (!passing.delete(secret)) search = undefined
    passing.set(secret, own) // the newest is the last
    for (const oldest of [...passing.keys()].slice(0, -MOST_PASSING)) passing.delete(oldest)
  }
  add(secrets)
  return {
    add,
    lend(secret) {
      const own = learn(secret, new Map())
      lent.add(own)
      search = undefined
      return () => {
        lent.delete(own)
        search = undefined
      }
    },
    mask(text) {
      const bytes = Buffer.from(text)
      if (!mayHoldSecret(bytes, current())) return text
      const masked = maskWhole(bytes, current())
      return masked.equals(bytes) ? text : masked.toString()
    },
    stream: () => createMaskStream(current),
  }
}

/** A role has two at a time, and new ones every few hours. */
const MOST_PASSING = 60

/** Most texts hold no place that looks like a secret, and need no more than this look. */
function mayHoldSecret(bytes: Buffer, search: Search): boolean {
  let isSeen = false
  search.each(bytes, () => (isSeen = true))
  return isSeen
}

function learn(secret: string, known: Map<string, Shape>): ReadonlyMap<string, Shape> {
  const { texts, base64 } = formsOf(secret)
  for (const form of texts) known.set(form, knownShape(form))
  for (const form of base64) known.set(form, wrappedShape(form))
  return known
}
