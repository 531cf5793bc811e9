import { isMapping } from './document.ts'
import type { Path } from './positions.ts'
import type { Variables } from './references.ts'

/** Values from the command line; they win over the variables, which win over the file. */
export interface Overrides {
  readonly host?: string | undefined
  readonly port?: string | undefined
  readonly publicUrl?: string | undefined
  readonly dataDir?: string | undefined
  readonly database?: string | undefined
}

interface Override {
  readonly path: readonly string[]
  readonly flag: keyof Overrides
  /** The first that is set wins. */
  readonly variables: readonly string[]
}

const OVERRIDES: readonly Override[] = [
  { path: ['server', 'host'], flag: 'host', variables: ['FERRYMAN_HOST'] },
  { path: ['server', 'port'], flag: 'port', variables: ['FERRYMAN_PORT', 'PORT'] },
  { path: ['server', 'public_url'], flag: 'publicUrl', variables: ['FERRYMAN_PUBLIC_URL'] },
  { path: ['data_dir'], flag: 'dataDir', variables: ['FERRYMAN_DATA_DIR'] },
  { path: ['database'], flag: 'database', variables: ['FERRYMAN_DATABASE'] },
]

/** The document with what the command line and the environment say instead, and for each such path who said so. */
export function override(
  root: unknown,
  variables: Variables,
  flags: Overrides,
): { readonly root: unknown; readonly sourceAt: (path: Path) => string | undefined } {
  const sources = new Map<string, string>()
  let overridden = root
  for (const { path, flag, variables: names } of OVERRIDES) {
    const name = names.find((candidate) => variables[candidate] !== undefined && variables[candidate] !== '')
    const given = flags[flag] ?? (name === undefined ? undefined : variables[name])
    if (given === undefined) continue
    overridden = put(overridden, path, flag === 'port' && /^\d+$/.test(given) ? Number(given) : given)
    sources.set(keyOf(path), flags[flag] === undefined ? (name ?? '') : optionOf(flag))
  }
  return { root: overridden, sourceAt: (path) => sources.get(keyOf(path)) }
}

/** Leaves alone what is no mapping: that is reported where it stands. */
function put(root: unknown, [key = '', ...rest]: readonly string[], value: unknown): unknown {
  if (root !== undefined && !isMapping(root)) return root
  return { ...root, [key]: rest.length === 0 ? value : put(root?.[key], rest, value) }
}

const keyOf = (path: Path): string => path.join('.')

/** `publicUrl` is `--public-url`. */
const optionOf = (flag: string): string =>
  `--${flag.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
