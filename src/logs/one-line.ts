/** The text on one line: control characters, line breaks and marks that turn text around are spelled out. */
export const oneLine = (text: string): string => text.replaceAll(UNSEEN, spell)

/** Text of several lines for a terminal: but for its line breaks nothing in it is more than something to read. */
export const printable = (text: string): string => text.split('\n').map(oneLine).join('\n')

/** At most `most` characters of the text; `…` stands for what is cut off. */
export const cut = (text: string, most: number): string =>
  text.length <= most ? text : `${text.slice(0, most - 1).toWellFormed()}…`

// oxlint-disable-next-line no-control-regex -- control characters are what it is about
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

const spell = (character: string): string =>
  SHORT[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
