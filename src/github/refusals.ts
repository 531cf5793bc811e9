import { z } from 'zod'

import { GitHubError } from './github.ts'

const MOST_CHARACTERS = 500
const MOST_ERRORS = 50
const MOST_CONTEXTS = 200

/** What octokit threw, as our own error. Only an answer has a response: a failed network is a 500 there. */
export function errorOf(
  thrown: unknown,
  { timeoutMs, mask }: { readonly timeoutMs: number; mask(text: string): string },
): GitHubError {
  if (thrown instanceof GitHubError) return thrown // of a request that this one needed first
  const cutMasked = (text: string): string => cut(mask(text))
  if (!(thrown instanceof Error)) return new GitHubError(cutMasked(String(thrown)), undefined, {}, thrown)
  const response: unknown = Reflect.get(thrown, 'response')
  if (typeof response !== 'object' || response === null) {
    const message = isTimeout(thrown)
      ? `GitHub did not answer within ${timeoutMs / 1000} s`
      : `GitHub cannot be reached: ${thrown.message.replace(OF_OPENSSL, '$1: $2')}`
    return new GitHubError(cutMasked(message), undefined, {}, thrown)
  }
  const { status, headers, data } = response as Refused
  const { success, data: refusal } = Refusal.safeParse(data)
  const said = success ? sentence(refusal) : titleOf(data)
  const message = cutMasked(`GitHub answered ${status}: ${said}`)
  return new GitHubError(message, status, headers, thrown, success ? contextsIn(refusal) : [])
}

/** As OpenSSL writes it where what answers speaks no TLS, with the line of its own source and a line break behind. */
const OF_OPENSSL = /^[\dA-F]+:error:[\dA-F]+:([^:]*):[^:]*:([^:]*):[^]*$/

const cut = (text: string): string => text.slice(0, MOST_CHARACTERS).toWellFormed()

interface Refused {
  readonly status: number
  readonly headers: Record<string, string>
  readonly data: unknown
}

const isTimeout = (thrown: Error): boolean =>
  [thrown, thrown.cause].some(
    (one) => one instanceof Error && ['TimeoutError', 'AbortError'].includes(one.name),
  )

const word = z.string().optional().catch(undefined)

/** One entry of `errors`: text alone, or an object of which any part may be missing. */
const Complaint = z.object({
  message: word,
  field: word,
  code: word,
  contexts: z.array(z.object({ context: z.string().max(1_000), state: z.string().max(100) })).catch([]),
})

const Refusal = z.object({
  message: z.string(),
  errors: z.array(z.union([z.string(), Complaint])).catch([]),
})
type Refusal = z.infer<typeof Refusal>

/** The message, and what the errors add to it, on one line. */
function sentence({ message, errors }: Refusal): string {
  const details = errors.slice(0, MOST_ERRORS).map(detail)
  const said = [...new Set(details)].filter((one) => one !== '').join('; ')
  return (said === '' ? message : `${message.replace(/\.$/, '')}: ${said}`).replaceAll(/[\s\p{Cc}]+/gu, ' ')
}

function detail(complaint: Refusal['errors'][number]): string {
  if (typeof complaint === 'string') return complaint
  const { message, field, code, contexts } = complaint
  if (message !== undefined) return message
  if (contexts.length > 0) return contexts.map(({ context, state }) => `${context} is ${state}`).join(', ')
  return [field, code].filter((one) => one !== undefined).join(' ')
}

/** GitHub names a context as often as it was reported; each stands once here for each of its states. */
function contextsIn({ errors }: Refusal): GitHubError['contexts'] {
  const all = errors.flatMap((complaint) => (typeof complaint === 'string' ? [] : complaint.contexts))
  const distinct = new Map(all.map((one) => [JSON.stringify([one.context, one.state]), one]))
  return [...distinct.values()].slice(0, MOST_CONTEXTS)
}

/** What a page says that is not GitHub's JSON, such as that of a proxy: its title, or nothing. */
function titleOf(data: unknown): string {
  const page = typeof data === 'string' ? data.slice(0, 10_000) : ''
  const [, title = 'it is not JSON'] = /<title>([^<]*)/i.exec(page) ?? []
  return title.replaceAll(/[\s\p{Cc}]+/gu, ' ').trim()
}
