/** The part of it that we use; its own package of types says a great deal more. */
declare module 'picomatch' {
  interface Options {
    /** Whether `*` and `**` match names that begin with a dot. */
    readonly dot?: boolean
    /** Whether `!` and `#` in front are characters like others. */
    readonly nonegate?: boolean
  }
  /** A function that says whether a path matches one of the patterns. */
  export default function picomatch(patterns: readonly string[], options: Options): (path: string) => boolean
}
