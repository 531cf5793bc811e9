import { type ByteSet, allBut, byteSet, endOfRun } from './byte-set.ts'

/** How one kind of secret looks, and how to find it in a stream of bytes. */
export interface Shape {
  /** Its first two bytes, in every spelling. */
  readonly heads: readonly string[]
  /** Three or four bytes that every match has at `anchorAt`, in every spelling: what a search looks for. */
  readonly anchors: readonly string[]
  readonly anchorAt: number
  /** Looks at one place. `isWhole`: no more bytes will come. */
  readonly find: (bytes: Buffer, at: number, isWhole: boolean) => Found
  /** How many bytes it may be undecided before its anchor is seen. */
  readonly longest: number
  /** A match goes on with as many of these as follow; not counted in the end that `find` answers. */
  readonly rest?: ByteSet
  /** The match stays readable; what follows it is a private key. */
  readonly beginsKey?: true
}

/** What lies at a place: nothing, something that may still become a secret, or the bytes to mask. */
type Found = 'nothing' | 'undecided' | Span

/** From `start` up to, not including, `end`. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** A secret that we know: at least four bytes, as a latin1 string. */
export function knownShape(secret: string): Shape {
  const wanted = Buffer.from(secret, 'latin1')
  return {
    heads: [secret.slice(0, 2)],
    anchors: [secret.slice(-4)], // the end of a secret is seldom an ordinary word; its beginning often is
    anchorAt: wanted.length - 4,
    longest: wanted.length,
    find: (bytes, at) => {
      const limit = Math.min(wanted.length, bytes.length - at)
      for (let i = 0; i < limit; i++) if (bytes[at + i] !== wanted[i]) return 'nothing'
      return limit < wanted.length ? 'undecided' : { start: at, end: at + limit }
    },
  }
}

/**
 * A known secret in base64, whole or broken into lines of at least four characters, as tools and people do; the line
 * break may be spelled `\n`. At least six bytes, as a latin1 string. A break among the first four characters is not
 * waited for: many a line ends with a character with which a secret begins, and would be shown only with the next.
 */
export function wrappedShape(secret: string): Shape {
  const wanted = Buffer.from(secret, 'latin1')
  return {
    heads: [secret.slice(0, 2)],
    anchors: [secret.slice(0, ANCHOR)],
    anchorAt: 0,
    longest: ANCHOR,
    find(bytes, at) {
      let place = at
      for (let i = 0; i < wanted.length; i++, place++) {
        const mayBreak = i >= ANCHOR
        if (mayBreak && bytes[place] !== wanted[i]) place = afterLineBreak(bytes, place)
        if (place >= bytes.length) return 'undecided'
        if (bytes[place] !== wanted[i]) return mayBreak && isHalfBreak(bytes, place) ? 'undecided' : 'nothing'
      }
      return { start: at, end: place }
    },
  }
}

const ANCHOR = 4
const LINE_BREAKS = ['\n', '\r\n', String.raw`\n`, String.raw`\r\n`]
const LINE_BREAK_BYTES = LINE_BREAKS.map((text) => Buffer.from(text))

function afterLineBreak(bytes: Buffer, at: number): number {
  for (const lineBreak of LINE_BREAK_BYTES)
    if (lineBreak.every((byte, i) => bytes[at + i] === byte)) return at + lineBreak.length
  return at
}

/** Whether the bytes end with the beginning of a line break. */
const isHalfBreak = (bytes: Buffer, at: number): boolean =>
  LINE_BREAK_BYTES.some(
    (lineBreak) =>
      bytes.length - at < lineBreak.length &&
      lineBreak.subarray(0, bytes.length - at).equals(bytes.subarray(at)),
  )

/** Parts in a row, each up to `max` bytes of a set; no part begins with what the part before it could take. */
type Part = readonly [set: ByteSet, min: number, max: number]

interface Pattern {
  /** Stays readable. */
  readonly shown?: readonly Part[]
  readonly masked: readonly Part[]
  readonly rest?: ByteSet
  /** In every spelling. */
  readonly heads: readonly string[]
  readonly anchors: readonly string[]
  readonly anchorAt: number
}

function patternShape({ shown = [], masked, ...looks }: Pattern): Shape {
  const longest = [...shown, ...masked].reduce((sum, [, , max]) => sum + max, 0)
  return {
    ...looks,
    longest,
    find: (bytes, at) => {
      const start = walk(shown, bytes, at)
      if (typeof start === 'string') return start
      const end = walk(masked, bytes, start)
      return typeof end === 'string' ? end : { start, end }
    },
  }
}

function walk(parts: readonly Part[], bytes: Buffer, from: number): number | 'nothing' | 'undecided' {
  let at = from
  for (const [set, min, max] of parts) {
    const end = endOfRun(set, bytes, at, Math.min(at + max, bytes.length))
    if (end === bytes.length && end < at + max) return 'undecided'
    if (end < at + min) return 'nothing'
    at = end
  }
  return at
}

const CONTROLS = ['\0-\x1f', '\x7f-\x7f'] as const
const SPACE = byteSet(' \t')
const ALPHANUMERIC = byteSet('', 'a-z', 'A-Z', '0-9')
const WORD = byteSet('_', 'a-z', 'A-Z', '0-9')
const TOKEN = byteSet('._-', 'a-z', 'A-Z', '0-9')
const URL_PATH = byteSet('/_%.~-', 'a-z', 'A-Z', '0-9')
const HEADER_VALUE = allBut(byteSet(' "\'\\,;<>`', ...CONTROLS))
const AUTHORITY = allBut(byteSet(' /?#"\'<>\\`', ...CONTROLS))
const KEY_WORDS = byteSet(' ', 'A-Z', '0-9')

const one = (characters: string): Part => [byteSet(characters), 1, 1]
const word = (text: string): Part[] => text.split('').map(one)
const anyCase = (text: string): Part[] =>
  text.split('').map((letter) => one(letter.toLowerCase() + letter.toUpperCase()))
const casesOf = (text: string): string[] =>
  text
    .split('')
    .reduce((heads, letter) => heads.flatMap((head) => [head + letter, head + letter.toUpperCase()]), [''])

const githubToken = patternShape({
  masked: [...word('gh'), one('pour'), ...word('_'), [ALPHANUMERIC, 20, 20]],
  rest: ALPHANUMERIC,
  heads: ['gh'],
  anchors: ['ghp_', 'gho_', 'ghu_', 'ghr_'],
  anchorAt: 0,
})

/** An installation's token; the new form is about 520 characters of a JWT, with dots and dashes. */
const installationToken = patternShape({
  masked: [...word('ghs_'), [TOKEN, 20, 20]],
  rest: TOKEN,
  heads: ['gh'],
  anchors: ['ghs_'],
  anchorAt: 0,
})

const fineGrainedToken = patternShape({
  masked: [...word('github_pat_'), [WORD, 20, 20]],
  rest: WORD,
  heads: ['gi'],
  anchors: ['_pat'],
  anchorAt: 6,
})

const slackAddress = (path: string) =>
  patternShape({
    shown: word(`hooks.slack.com/${path}/`),
    masked: [[URL_PATH, 1, 1]],
    rest: URL_PATH,
    heads: ['ho'],
    anchors: ['ks.s'],
    anchorAt: 3,
  })

const maybeQuote: readonly Part[] = [
  [byteSet('\\'), 0, 1],
  [byteSet('"\''), 0, 1],
]

/** `Authorization: Bearer …` and its like: as a header, in JSON (also quoted twice), in a git setting. */
const authorization = (scheme: string) =>
  patternShape({
    shown: [
      ...anyCase('authorization'),
      ...maybeQuote,
      [SPACE, 0, 4],
      one(':='),
      [SPACE, 0, 4],
      ...maybeQuote,
      ...anyCase(scheme),
      [SPACE, 1, 4],
    ],
    masked: [[HEADER_VALUE, 1, 1]],
    rest: HEADER_VALUE,
    heads: casesOf('au'),
    anchors: casesOf('oriz'),
    anchorAt: 4,
  })

const LONGEST_AUTHORITY = 2048
const COLON = 0x3a
const SLASH = 0x2f
const AT_SIGN = 0x40

/** `://user:password@`. */
const password: Shape = {
  heads: [':/'],
  anchors: ['://'],
  anchorAt: 0,
  longest: 3,
  find: (bytes, at, isWhole) => {
    const from = at + 3
    if (from > bytes.length) return 'undecided'
    if (bytes[at] !== COLON || bytes[at + 1] !== SLASH || bytes[at + 2] !== SLASH) return 'nothing'
    const limit = from + LONGEST_AUTHORITY
    const end = endOfRun(AUTHORITY, bytes, from, Math.min(limit, bytes.length))
    if (end === bytes.length && end < limit && !isWhole) return 'undecided'
    let last = end - 1
    while (last > from && bytes[last] !== AT_SIGN) last--
    let colon = from
    while (colon < last && bytes[colon] !== COLON) colon++
    return last <= colon + 1 ? 'nothing' : { start: colon + 1, end: last }
  },
}

const keyBeginning = patternShape({
  masked: [...word('-----BEGIN '), [KEY_WORDS, 11, 60], ...word('-----')],
  heads: ['--'],
  anchors: ['-BEG'],
  anchorAt: 4,
})

const privateKey: Shape = {
  ...keyBeginning,
  beginsKey: true,
  find: (bytes, at, isWhole) => {
    const found = keyBeginning.find(bytes, at, isWhole)
    if (typeof found === 'string') return found
    return bytes.toString('latin1', found.start, found.end).includes('PRIVATE KEY') ? found : 'nothing'
  },
}

/** Secrets that give themselves away, whoever they belong to. */
export const SELF_EVIDENT: readonly Shape[] = [
  githubToken,
  installationToken,
  fineGrainedToken,
  ...['services', 'workflows', 'triggers'].map(slackAddress),
  ...['basic', 'bearer', 'token'].map(authorization),
  password,
  privateKey,
]
