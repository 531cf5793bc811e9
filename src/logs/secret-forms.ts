/** A shorter word is no secret: masking it would hide half of every log. */
const SHORTEST_SECRET = 6

/** The spellings of one secret, as UTF-8 bytes in latin1 strings. None of a text that is too short to be a secret. */
export interface SecretForms {
  /** Found as they are. */
  readonly texts: ReadonlySet<string>
  /** In base64, wherever the secret stands within a longer encoded text; tools break these into lines. */
  readonly base64: ReadonlySet<string>
}

/** Every spelling under which a secret may turn up. */
export function formsOf(secret: string): SecretForms {
  const whole = secret.toWellFormed().trim()
  if (!isLongEnough(whole)) return { texts: new Set(), base64: new Set() }
  const lines = whole
    .split(/[\r\n]+/)
    .map((line) => line.trim())
    .filter(isLongEnough)
  const texts = [whole, ...lines].flatMap((text) => [
    text,
    ...urlForms(text),
    ...jsonForms(text),
    ...htmlForms(text),
    ...quotedForms(text),
  ])
  return { texts: new Set(texts.map(bytesOf)), base64: new Set(base64Forms(whole)) }
}

const isLongEnough = (text: string) => text.length >= SHORTEST_SECRET

const bytesOf = (text: string) => Buffer.from(text, 'utf8').toString('latin1')

/** Encoders differ in what they leave as it is. */
function urlForms(text: string): string[] {
  const component = encodeURIComponent(text)
  const strict = component.replaceAll(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  const form = new URLSearchParams([['', text]]).toString().slice(1)
  return [component, strict, strict.replaceAll('%2F', '/'), encodeURI(text), form].flatMap((encoded) => [
    encoded,
    encoded.replaceAll(/%[0-9A-F]{2}/g, (byte) => byte.toLowerCase()),
  ])
}

/** Also as JSON within JSON. Some encoders spell out more than they have to. */
function jsonForms(text: string): string[] {
  const asNeeded = inJson(text)
  const unsafe = asNeeded.replaceAll(/[<>&\u2028\u2029]/g, unicode)
  const once = [asNeeded, unsafe]
    .flatMap((json) => [json, spellOut(json), spellOut(json).replaceAll(/\\u[\da-f]{4}/g, upper)])
    .flatMap((json) => [json, json.replaceAll('/', '\\/')])
  return once.flatMap((json) => [json, inJson(json)])
}

const inJson = (text: string) => JSON.stringify(text).slice(1, -1)
const unicode = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
const spellOut = (json: string) => json.replaceAll(/[\u0080-\uffff]/g, unicode)
const upper = (escape: string) => `\\u${escape.slice(2).toUpperCase()}`

/** As in a page or in a message to Slack. */
function htmlForms(text: string): string[] {
  const without = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
  const quotes = [
    ['&quot;', "'"],
    ['&quot;', '&#39;'],
    ['&quot;', '&#039;'],
    ['&quot;', '&#x27;'],
    ['&quot;', '&apos;'],
    ['&#34;', '&#39;'],
  ] as const
  return [
    without,
    ...quotes.map(([double, single]) => without.replaceAll('"', double).replaceAll("'", single)),
  ]
}

/** As a shell shows its words under `set -x` or in `export -p`, and as we quote them ourselves; and as YAML and SQL do. */
const quotedForms = (text: string): string[] => [
  text.replaceAll("'", "''"),
  text.replaceAll("'", String.raw`'\''`),
  text.replaceAll("'", `'"'"'`),
  text.replaceAll(/["$`\\]/g, String.raw`\$&`),
  text.replaceAll(/[^\w@%+=:,./\u0080-\uffff-]/g, String.raw`\$&`),
  inJson(text)
    .replaceAll(String.raw`\"`, '"')
    .replaceAll("'", String.raw`\'`),
]

/** The characters that the secret alone decides, for each of the three places it can have in a group of three bytes. */
function base64Forms(text: string): string[] {
  const bytes = Buffer.from(text, 'utf8')
  return [0, 1, 2].flatMap((before) => {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64')
    const from = Math.ceil((before * 8) / 6)
    const to = Math.floor(((before + bytes.length) * 8) / 6)
    const decided = encoded.slice(from, to)
    return [decided, decided.replaceAll('+', '-').replaceAll('/', '_')].flatMap(afterEarlyBreaks)
  })
}

/** Where a line ends among the first three characters, which say next to nothing, the rest is a form of its own. */
const afterEarlyBreaks = (form: string): string[] =>
  [0, 1, 2, 3]
    .map((from) => form.slice(from))
    .filter((rest, from) => from === 0 || rest.length >= SHORTEST_SECRET)
