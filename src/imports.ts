import { registerHooks } from 'node:module'

const SOURCES = new URL('.', import.meta.url).href
/** Packages of so many modules that it counts; within them as well, imports are whole relative names. */
const LARGE = ['kysely/dist/', 'zod/v4/'].map(
  (name) => new URL(`../node_modules/${name}`, import.meta.url).href,
)
/** Zod's messages in fifty languages, of which only the English ones are ever read. */
const [EVERY_LANGUAGE, ENGLISH] = ['../locales/index.js', '../locales/en.js']

/**
 * Takes an import of one of our sources by another as what it says: the file of that name. Node looks at the disk and
 * for a package.json for each of them, which is a fifth of a start. Nothing is remembered that could be out of date.
 */
export function importByName(): void {
  registerHooks({
    resolve(specifier, context, next) {
      const format = specifier.startsWith('.') ? formatBeside(context.parentURL, specifier) : undefined
      if (format === undefined) return next(specifier, context)
      const name = specifier === EVERY_LANGUAGE ? ENGLISH : specifier
      return { url: new URL(name, context.parentURL).href, format, shortCircuit: true }
    },
  })
}

/** What the file is that another one names so; nothing where Node has to look. */
function formatBeside(importer = '', specifier: string): 'module-typescript' | 'module' | undefined {
  if (specifier.endsWith('.ts')) return importer.startsWith(SOURCES) ? 'module-typescript' : undefined
  return specifier.endsWith('.js') && LARGE.some((folder) => importer.startsWith(folder))
    ? 'module'
    : undefined
}
