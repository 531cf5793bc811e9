export type Split = { readonly words: readonly string[] } | { readonly wrong: string }

/** What only a shell would understand; it would be handed to the program as a word like any other. */
const OPERATOR = /&&|\|\||[|&;<>`]|\$\(/y
const PIECE = /\s+|'([^']*)'|"((?:[^"\\]|\\[^])*)"|\\([^])|([^\s'"\\])/y

/**
 * Splits a command into words once, by the quoting rules of a POSIX shell: quotes and backslashes are
 * taken away, nothing is expanded, and what would need a shell is refused.
 */
export function splitWords(command: string): Split {
  const words: string[] = []
  let word: string | undefined
  for (let index = 0; index < command.length;) {
    OPERATOR.lastIndex = PIECE.lastIndex = index
    const operator = OPERATOR.exec(command)
    if (operator !== null)
      return { wrong: `${operator[0]} needs a shell, and none reads it; use \`commands\`, one line each` }
    const piece = PIECE.exec(command)
    if (piece === null) return { wrong: 'the quotes are not closed' }
    const [whole, single, double, escaped, plain] = piece
    const text = single ?? double?.replaceAll(/\\([$`"\\])/g, '$1') ?? escaped ?? plain
    if (text !== undefined) word = (word ?? '') + text
    else if (word !== undefined) {
      words.push(word)
      word = undefined
    }
    index += whole.length
  }
  return { words: word === undefined ? words : [...words, word] }
}

/** `[git, fetch]`: words as a list in YAML. */
export const flowList = (words: readonly string[]): string =>
  `[${words.map((word) => (isPlain(word) ? word : JSON.stringify(word))).join(', ')}]`

/** Whether YAML reads the word as a text without quotes; it errs on the side of quotes. */
const isPlain = (word: string): boolean =>
  /^(?:--?|\.\/|\/)?[A-Za-z_][\w./@=+-]*$/.test(word) && !/^(?:true|false|null)$/i.test(word)
