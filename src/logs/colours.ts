const ESCAPE = 0x1b

// CSI (colours, cursor), OSC up to its end (titles, links), and two-byte escapes: ECMA-48, xterm's ctlseqs.
// eslint-disable-next-line no-control-regex
const SEQUENCE = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-Z\\^-~])/g
const LONGEST = 4_096

/** Takes terminal sequences out of a text. */
export const withoutColours = (text: string): string => text.replaceAll(SEQUENCE, '')

/** The same for a stream of bytes: a sequence that is cut by the end of a piece is completed by the next one. */
export function createColourStrip(): (bytes: Buffer) => Buffer {
  let held = ''
  return (bytes) => {
    if (held === '' && !bytes.includes(ESCAPE)) return bytes
    const text = (held + bytes.toString('latin1')).replaceAll(SEQUENCE, '')
    const open = text.lastIndexOf('\x1b')
    const keep = open !== -1 && text.length - open < LONGEST ? open : text.length
    held = text.slice(keep)
    return Buffer.from(text.slice(0, keep), 'latin1')
  }
}
