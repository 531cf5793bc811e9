import { type MaskStream, createMaskStream, maskWhole } from './mask-stream.ts'
import { type Search, createSearch } from './search.ts'
import { formsOf } from './secret-forms.ts'
import { type Shape, SELF_EVIDENT, knownShape, wrappedShape } from './shapes.ts'

/**
 * Hides secrets wherever text leaves: those it knows, in every usual spelling, and those that give
 * themselves away (tokens of GitHub, addresses of Slack, passwords in URLs, authorization headers, private keys).
 */
export interface Masker {
  /** Learns more secrets, also for streams that are open. Nothing is forgotten: a rotated secret stays masked. */
  readonly add: (secrets: Iterable<string>) => void
  /** Learns a secret that lives for an hour, say; the answer forgets it. */
  readonly lend: (secret: string) => () => void
  readonly mask: (text: string) => string
  readonly stream: () => MaskStream
}

/** Makes a masker that knows these secrets. Words of fewer than six characters are none. */
export function createMasker(secrets: Iterable<string>): Masker {
  const known = new Map<string, Shape>()
  const lent = new Set<ReadonlyMap<string, Shape>>()
  let search: Search | undefined
  const shapes = () => [...SELF_EVIDENT, ...[known, ...lent].flatMap((one) => [...one.values()])]
  const current = () => (search ??= createSearch(shapes()))
  const learned = new Set<string>()
  const add = (more: Iterable<string>) => {
    for (const secret of more) {
      if (learned.has(secret)) continue // every run says its own again
      learned.add(secret)
      learn(secret, known)
      search = undefined
    }
  }
  add(secrets)
  return {
    add,
    lend(secret) {
      const own = new Map<string, Shape>()
      learn(secret, own)
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

/** Most texts hold no place that looks like a secret, and need no more than this look. */
function mayHoldSecret(bytes: Buffer, search: Search): boolean {
  let isSeen = false
  search.each(bytes, () => (isSeen = true))
  return isSeen
}

function learn(secret: string, known: Map<string, Shape>): void {
  const { texts, base64 } = formsOf(secret)
  for (const form of texts) known.set(form, knownShape(form))
  for (const form of base64) known.set(form, wrappedShape(form))
}
