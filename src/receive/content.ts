import { problem } from '../errors.ts'

const FORM = 'application/x-www-form-urlencoded'

/** The content type in lower case, without its parameters; empty where there is none. */
export const mediaType = (header: string | undefined): string =>
  header?.split(';')[0]?.trim().toLowerCase() ?? ''

/** Whether a delivery may have this content type: GitHub's two. */
export const isUnderstood = (type: string): boolean => type === 'application/json' || type === FORM

/** What the body of a delivery holds; throws `body_not_json`. */
export const contentOf = (body: string, type: string): object =>
  parse(type === FORM ? payloadField(body) : body)

function payloadField(body: string): string {
  const payload = new URLSearchParams(body).get('payload')
  if (payload === null) throw problem('body_not_json', { cause: 'the form has no field "payload"' })
  return payload
}

function parse(text: string): object {
  let content: unknown
  try {
    content = JSON.parse(text)
  } catch (cause) {
    throw problem(
      'body_not_json',
      { cause: cause instanceof Error ? cause.message.slice(0, 200) : '' },
      cause,
    )
  }
  if (typeof content === 'object' && content !== null && !Array.isArray(content)) return content
  throw problem('body_not_json', { cause: 'it is not an object' })
}
