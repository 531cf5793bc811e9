import { invalidRequest, refusal } from './answers.ts'

/** Reads the fields of a request body, and refuses as GitHub does what is of another kind. */
export interface Fields {
  text(name: string): string
  text<Default>(name: string, otherwise: Default): string | Default
  flag(name: string, otherwise: boolean): boolean
  texts<Default>(name: string, otherwise: Default): readonly string[] | Default
  /** One of the known words; `refuse` makes the refusal of another one. */
  oneOf<Word extends string>(name: string, words: readonly Word[], refuse: () => Error): Word
  raw(name: string): unknown
}

/** Opens the body of a request; `documentation` is where GitHub's errors point to. */
export function readFields(body: string, documentation: string): Fields {
  const given = parse(body)
  const wrong = (name: string, kind: string): Error =>
    invalidRequest(documentation, `For 'properties/${name}', ${JSON.stringify(given[name])} is not ${kind}.`)
  const missing = (name: string): Error => invalidRequest(documentation, `"${name}" wasn't supplied.`)

  function text(name: string): string
  function text<Default>(name: string, otherwise: Default): string | Default
  function text(name: string, ...otherwise: readonly unknown[]): unknown {
    const value = given[name]
    if (value === undefined && otherwise.length > 0) return otherwise[0]
    if (value === undefined) throw missing(name)
    if (typeof value === 'string' || (value === null && otherwise[0] === null)) return value
    throw wrong(name, 'a string')
  }

  return {
    text,
    flag(name, otherwise) {
      const value = given[name] ?? otherwise
      if (typeof value !== 'boolean') throw wrong(name, 'a boolean')
      return value
    },
    texts(name, otherwise) {
      const value = given[name]
      if (value === undefined || value === null) return otherwise
      if (!Array.isArray(value) || value.some((one) => typeof one !== 'string'))
        throw wrong(name, 'an array of strings')
      return value as string[]
    },
    oneOf(name, words, refuse) {
      const value = text(name)
      const word = words.find((one) => one === value)
      if (word === undefined) throw refuse()
      return word
    },
    raw: (name) => given[name],
  }
}

/** In code points, the most likely reading of GitHub's "characters". */
export const charactersIn = (text: string): number => Array.from(text).length

function parse(body: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    throw refusal(400, 'Problems parsing JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw refusal(400, 'Body should be a JSON object')
  return value as Record<string, unknown>
}
