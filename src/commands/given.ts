import type { Given } from '../cli.ts'

/** What was given to a command, as its work wants it. */
export function readGiven({ values }: Given) {
  const text = (name: string): string | undefined => {
    const value = values[name]
    return typeof value === 'string' ? value : undefined
  }
  const is = (name: string): boolean => values[name] === true
  return { text, is, json: is('json'), server: { config: text('config'), dataDir: text('data-dir') } }
}
