/** Makes plain text of a stream of bytes, piece by piece. */
export interface PlainText {
  push(bytes: Buffer): Buffer
  /** What was kept back: the beginning of a character that nothing has completed. */
  flush(): Buffer
}

/*
 * Bytes as latin1: a character of UTF-8 beyond ASCII is two or three of them. What is taken away: terminal sequences
 * (CSI, strings such as OSC with their content, escapes of two bytes: ECMA-48, xterm's ctlseqs) in seven and in eight
 * bits; controls; and marks that turn text around or break lines where no line ends.
 */
// oxlint-disable no-control-regex -- control characters are what it is about
const CSI = String.raw`(?:\x1b\[|\xc2\x9b)[0-?]{0,4096}[ -/]{0,4096}`
const STRING = String.raw`(?:\x1b[\]PX^_]|\xc2[\x90\x98\x9d-\x9f])(?:[^\x07\x1b\n\xc2]|\xc2[^\x80-\x9f]){0,4096}`
const ESCAPE = String.raw`\x1b[ -/]{0,4096}`
const SEQUENCE = String.raw`${CSI}[@-~]|${STRING}(?:\x07|\x1b\\|\xc2\x9c)|${ESCAPE}[0-OQ-WYZ\\${'`'}-~]`
/** What the next piece may complete. */
const OPEN = String.raw`(?:${CSI}|${STRING}[\xc2\x1b]?|${ESCAPE}|\r+|\xc2|\xe2[\x80\x81]?|\xd8|\xef\xbb?)$`
const UNSEEN = String.raw`[\0-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]+|\x1b|\xc2[\x80-\x9f]|\xe2\x80[\x8e\x8f\xa8-\xae]|\xe2\x81[\xa6-\xa9]|\xd8\x9c|\xef\xbb\xbf`
const ANY = new RegExp(
  String.raw`${SEQUENCE}|(?<open>${OPEN})|(?<line>\r+\n)|(?<overwrite>\r+)|${UNSEEN}`,
  'g',
)
const PERHAPS_ANY = /[\0-\x08\x0b-\x1f\x7f\xc2\xd8\xe2\xef]/
const HALF_CHARACTER = /(?:\xc2|\xe2[\x80\x81]?|\xd8|\xef\xbb?)$/
// oxlint-enable no-control-regex

/** As wide as a time stamp: what would overwrite its line stands below it, and never looks like a line of ours. */
const CONTINUED = `\n${' '.repeat(25)}`

/** What pieces came to, so that the same piece is looked through once for however many read it. */
export type PlainPieces = WeakMap<Buffer, Step>

interface Step {
  readonly heldBefore: string
  readonly plain: Buffer
  readonly held: string
}

/**
 * For a log that is read in a browser or a terminal: nothing in it is more than text, and only a line begins with
 * a time. A carriage return would begin a line in a browser, and overwrite the time in a terminal.
 */
export function createPlainText(pieces: PlainPieces = new WeakMap()): PlainText {
  let held = ''
  return {
    push(bytes) {
      const known = pieces.get(bytes)
      const step = known?.heldBefore === held ? known : stepFrom(held, bytes)
      pieces.set(bytes, step)
      held = step.held
      return step.plain
    },
    flush() {
      const [rest = ''] = HALF_CHARACTER.exec(held) ?? []
      held = ''
      return Buffer.from(rest, 'latin1')
    },
  }
}

/** All of it as plain text. */
export async function* plainTextOf(
  stored: AsyncIterable<Buffer>,
  pieces?: PlainPieces,
): AsyncGenerator<Buffer> {
  const text = createPlainText(pieces)
  for await (const bytes of stored) yield text.push(bytes)
  yield text.flush()
}

function stepFrom(heldBefore: string, bytes: Buffer): Step {
  const text = heldBefore + bytes.toString('latin1')
  if (heldBefore === '' && !PERHAPS_ANY.test(text)) return { heldBefore, plain: bytes, held: '' }
  let held = ''
  // One pass: what stood on both sides of something taken away never becomes something together.
  const plain = text.replaceAll(ANY, (...match) => {
    const { open, line, overwrite } = match.at(-1) as Record<string, string | undefined>
    if (open !== undefined) held = open.startsWith('\r') ? '\r' : open // of many, one does what all of them do
    return line === undefined ? (overwrite === undefined ? '' : CONTINUED) : '\n'
  })
  return { heldBefore, plain: Buffer.from(plain, 'latin1'), held }
}
