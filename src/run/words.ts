import type { Launch } from './launcher.ts'

/** Becomes the command, whose output goes where 4 leads. */
export const BECOME = `exec >&4 2>&1 </dev/null 4>&-
exec "$@"`

/**
 * The part of a shell script that is told on its input what to become, a line at a time, the first letter of which
 * says what the rest is: a line of a word that goes on, the folder, a variable, an argument, the mark, and the word
 * that lets it begin. Names of variables can be told before, so that only their values follow, in the same order. The
 * words are only ever values, and none is seen in `ps`. When its input ends, as it does when the server dies, it ends and
 * has run nothing.
 */
export const READ_WORDS = `fm_word=
fm_lf='
'
while IFS= read -r fm_line; do
  fm_text=\${fm_line#?}
  case $fm_line in
    +*) fm_word=$fm_word$fm_text$fm_lf; continue ;;
    d*) cd -P -- "$fm_word$fm_text" 2>&4 || exit 125 ;;
    v*) export "$fm_word$fm_text" ;;
    n*) fm_names=$fm_text ;;
    =*) export "\${fm_names%% *}=$fm_word$fm_text"
        fm_names=\${fm_names#* } ;;
    a*) set -- "$@" "$fm_word$fm_text" ;;
    m*) ulimit -S -m "$fm_text" 2>/dev/null ;;
    go) unset OLDPWD
        ${BECOME} ;;
  esac
  fm_word=
done
exit 125`

/** What such a script is told before: names that a shell takes for nothing else. */
export const wordForNames = (names: readonly string[]): string => `n${names.join(' ')} \n`

/** What such a script is told, which may know some names already; the last word, `go`, is not yet among it. */
export const wordsFor = (
  {
    folder,
    mark,
    program,
    arguments: args,
    environment,
  }: Pick<Launch, 'folder' | 'mark' | 'program' | 'arguments' | 'environment'>,
  known: readonly string[] = [],
): string => {
  const missing = known.findIndex((name) => environment[name] === undefined)
  const usual = new Set(missing < 0 ? known : known.slice(0, missing))
  const others = Object.entries(environment).filter(([name]) => !usual.has(name))
  return [
    word('d', folder),
    word('m', mark),
    ...[...usual].map((name) => word('=', environment[name] ?? '')),
    ...others.map(([name, value]) => word('v', `${name}=${value}`)),
    ...[program, ...args].map((text) => word('a', text)),
  ].join('')
}

const word = (kind: string, text: string): string =>
  text
    .split('\n')
    .map((line, index, lines) => `${index === lines.length - 1 ? kind : '+'}${line}\n`)
    .join('')
