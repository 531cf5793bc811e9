import { isMapping } from './document.ts'
import { keyOfEnvironment, type Path } from './positions.ts'
import { fillReferences, readReferencedFile, type Filled, type Variables } from './references.ts'
import { credentialsIn, isTooShort, passwordsIn } from './values.ts'

/** Keys that hold secrets: filled, never quoted in a message, known to the masker. */
const SECRET =
  /^(server\.api_token|database|github\.token|github\.webhook_secret(\.\d+)?|slack\.webhook_url|log_to\.(gist\.token|access_key_id|secret_access_key))$/
const SECRET_OF_ENVIRONMENT =
  /^(notify\.slack\.webhook_url|log_to\.(gist\.token|access_key_id|secret_access_key))$/
/** Other keys in which references are filled. */
const ORDINARY =
  /^(server\.(host|public_url)|data_dir|github\.(api_url|app\.(id|private_key_file))|log_to\.(s3|url|region|endpoint|key_file))$/
const ORDINARY_OF_ENVIRONMENT = new Set([
  'folder',
  'environment_url',
  'ansible_hosts',
  'ansible_playbook',
  'ansible.vault_password_file',
  'ansible.requirements',
  'ansible.config',
  'heroku.app',
  'heroku.url',
  'tasks_folder',
  'releases.path',
  'health_check.url',
  'log_to.s3',
  'log_to.url',
  'log_to.region',
  'log_to.endpoint',
  'log_to.key_file',
  'workspace.url',
  'workspace.ssh_key_file',
  'workspace.known_hosts_file',
  'hooks.before',
  'hooks.verify',
  'hooks.after_success',
  'hooks.after_failure',
])

export interface FilledDocument {
  readonly root: unknown
  /** Every secret text of the server's own keys. */
  readonly secrets: readonly string[]
  /** Where a secret stands in the file itself. */
  readonly plain: readonly Path[]
  /** Where a secret stands that cannot be masked. */
  readonly tooShort: readonly Path[]
}

export interface FillOptions {
  readonly variables: Variables
  /** Relative `{file: path}` are looked up here. */
  readonly directory: string
  /** Values that did not come from the file: nothing is filled in them. */
  readonly isOverridden: (path: Path) => boolean
  readonly wrong: (path: Path, message: string) => void
}

/** What stands behind the question mark of an address is a token more often than not. */
const isInQuery = (value: string, address: string): boolean =>
  /^https?:/.test(address) && address.indexOf(value, address.indexOf('?')) > 0 && address.includes('?')

/** The document with `${NAME}` and `{file: path}` filled in the server's keys; those of `env:` stay references. */
export function fillDocument(root: unknown, options: FillOptions): FilledDocument {
  const secrets: string[] = []
  const plain: Path[] = []
  const tooShort: Path[] = []

  const fillSecret = (value: string | { readonly file: string }, path: Path): unknown => {
    const filled = readSecret(value, path, options)
    if ('wrong' in filled) {
      options.wrong(path, filled.wrong)
      return value
    }
    if (isAddressAlone(path, filled.text)) return filled.text
    if (filled.values.length === 0 && !options.isOverridden(path)) plain.push(path)
    const found = [filled.text, ...filled.values, ...credentialsIn(filled.text)]
    if (found.some(isTooShort)) tooShort.push(path)
    secrets.push(...found)
    return filled.text
  }
  const fillOrdinary = (value: string, path: Path): string => {
    const filled = fillReferences(value, options.variables)
    if ('wrong' in filled) {
      options.wrong(path, filled.wrong)
      return value
    }
    const found = [...filled.values.filter((one) => isInQuery(one, filled.text)), ...passwordsIn(filled.text)]
    if (found.some(isTooShort)) tooShort.push(path)
    secrets.push(...found)
    return filled.text
  }
  const fillAt = (value: unknown, path: Path): unknown => {
    if (isSecretKey(path) && isSecretSetting(value)) return fillSecret(value, path)
    if (typeof value === 'string')
      return isOrdinaryKey(path) && !options.isOverridden(path) ? fillOrdinary(value, path) : value
    if (Array.isArray(value)) return value.map((item, index) => fillAt(item, [...path, index]))
    if (!isMapping(value)) return value
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, fillAt(inner, [...path, key])]),
    )
  }

  return { root: fillAt(root, []), secrets, plain, tooShort }
}

/** Whether what stands here must never be quoted: a secret key, a variable of `env:`, an address with a password in it. */
export const isConfidential = (path: Path): boolean =>
  path.some((_, index) => isSecretKey(path.slice(0, index + 1))) ||
  /^(?:env|ansible\.extra_vars)\.|^(?:workspace|health_check)\.url$|^heroku\.(?:api_key|url)(?:\.|$)|^source(?:\.|$)/.test(
    keyOfEnvironment(path),
  )

const isSecretKey = (path: Path): boolean =>
  path[0] === 'repositories'
    ? SECRET_OF_ENVIRONMENT.test(keyOfEnvironment(path))
    : SECRET.test(path.join('.'))

const isOrdinaryKey = (path: Path): boolean =>
  path[0] === 'repositories'
    ? ORDINARY_OF_ENVIRONMENT.has(keyOfEnvironment(path))
    : ORDINARY.test(path.join('.'))

/** Whoever connects as who they are needs no password: then the address of the database is for everybody. */
const isAddressAlone = (path: Path, text: string): boolean =>
  path.join('.') === 'database' && WITHOUT_PASSWORD.test(text) && !/password/i.test(text)
const WITHOUT_PASSWORD = /^postgres(?:ql)?:\/\/(?:[\w.-]+@)?[\w.,:[\]-]*(?:\/[\w-]*)?(?:\?[\w=&./-]*)?$/

const isSecretSetting = (value: unknown): value is string | { readonly file: string } =>
  (typeof value === 'string' && value !== '') ||
  (isMapping(value) && typeof value['file'] === 'string' && Object.keys(value).length === 1)

function readSecret(
  value: string | { readonly file: string },
  path: Path,
  { variables, directory, isOverridden }: FillOptions,
): Filled {
  if (typeof value === 'string')
    return isOverridden(path) ? { text: value, values: [] } : fillReferences(value, variables)
  const file = fillReferences(value.file, variables)
  return 'wrong' in file ? file : readReferencedFile(file.text, directory)
}
