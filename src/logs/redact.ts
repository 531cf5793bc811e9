import { type MaskStream, createMaskStream, maskWhole } from './mask-stream.ts'
import { type Search, createSearch } from './search.ts'
import { formsOf } from './secret-forms.ts'
import { SELF_EVIDENT, knownShape } from './shapes.ts'

/**
 * Hides secrets wherever text leaves: those it knows, in every usual spelling, and those that give
 * themselves away (tokens of GitHub, addresses of Slack, passwords in URLs, authorization headers, private keys).
 */
export interface Masker {
  /** Learns more secrets, also for streams that are open. Nothing is forgotten: a rotated secret stays masked. */
  readonly add: (secrets: Iterable<string>) => void
  readonly mask: (text: string) => string
  readonly stream: () => MaskStream
}

/** Makes a masker that knows these secrets. Words of fewer than six characters are none. */
export function createMasker(secrets: Iterable<string>): Masker {
  const known = new Set<string>()
  let search: Search | undefined
  const current = () => (search ??= createSearch([...SELF_EVIDENT, ...[...known].map(knownShape)]))
  const add = (more: Iterable<string>) => {
    for (const secret of more) for (const form of formsOf(secret)) known.add(form)
    search = undefined
  }
  add(secrets)
  return {
    add,
    mask(text) {
      const bytes = Buffer.from(text)
      const masked = maskWhole(bytes, current())
      return masked.equals(bytes) ? text : masked.toString()
    },
    stream: () => createMaskStream(current),
  }
}
