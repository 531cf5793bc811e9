import { readFileSync } from 'node:fs'

const read = (): string => {
  const content: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  return String(Reflect.get(Object(content), 'version'))
}

/** The version of this program, from package.json. */
export const version = read()
