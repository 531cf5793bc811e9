/** A shorter word is no secret: masking it would hide half of every log. */
const SHORTEST_SECRET = 6

/**
 * Every spelling under which a secret may turn up, as UTF-8 bytes in a latin1 string: as it is, its lines,
 * URL-encoded, escaped for JSON, and in base64 wherever it stands within a longer encoded text. None for
 * a text that is too short to be a secret.
 */
export function formsOf(secret: string): ReadonlySet<string> {
  const whole = secret.toWellFormed().trim()
  if (!isLongEnough(whole)) return new Set()
  const lines = whole
    .split(/[\r\n]+/)
    .map((line) => line.trim())
    .filter(isLongEnough)
  const texts = [whole, ...lines, ...urlForms(whole), ...jsonForms(whole)]
  return new Set([...texts.map(bytesOf), ...base64Forms(whole)])
}

const isLongEnough = (text: string) => text.length >= SHORTEST_SECRET

const bytesOf = (text: string) => Buffer.from(text, 'utf8').toString('latin1')

function urlForms(text: string): string[] {
  const component = encodeURIComponent(text)
  const form = new URLSearchParams([['', text]]).toString().slice(1)
  return [component, form].flatMap((encoded) => [
    encoded,
    encoded.replaceAll(/%[0-9A-F]{2}/g, (byte) => byte.toLowerCase()),
  ])
}

function jsonForms(text: string): string[] {
  const escaped = JSON.stringify(text).slice(1, -1)
  const ascii = escaped.replaceAll(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return [escaped, ascii, escaped.replaceAll('/', '\\/')]
}

/** The characters that the secret alone decides, for each of the three places it can have in a group of three bytes. */
function base64Forms(text: string): string[] {
  const bytes = Buffer.from(text, 'utf8')
  return [0, 1, 2].flatMap((before) => {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64')
    const from = Math.ceil((before * 8) / 6)
    const to = Math.floor(((before + bytes.length) * 8) / 6)
    const decided = encoded.slice(from, to)
    return [decided, decided.replaceAll('+', '-').replaceAll('/', '_')]
  })
}
