// CSI (colours, cursor), OSC up to its end (titles, links), and two-byte escapes: ECMA-48, xterm's ctlseqs.
// eslint-disable-next-line no-control-regex
const SEQUENCE = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-Z\\^-~])/g

/** Takes terminal sequences out of a text. */
export const withoutColours = (text: string): string => text.replaceAll(SEQUENCE, '')
