import { createPrivateKey } from 'node:crypto'
import { resolve } from 'node:path'

import type { Credentials } from './config.ts'
import { isMapping } from './document.ts'
import type { Path } from './positions.ts'
import { readReferencedFile } from './references.ts'

export interface CredentialsOptions {
  /** Relative paths are looked up here. */
  readonly directory: string
  readonly complain: (path: Path, message: string) => void
  /** Whether something is already said about this key. */
  readonly isBroken: (path: Path) => boolean
}

export interface ReadCredentials {
  readonly credentials: Credentials
  readonly secrets: readonly string[]
}

const TOKEN = ['github', 'token']
const APP = ['github', 'app']
const KEY_FILE = [...APP, 'private_key_file']

/** As whom we speak to GitHub: a token, or an App with its key; undefined when anything is wrong with it. */
export function readCredentials(root: unknown, options: CredentialsOptions): ReadCredentials | undefined {
  const { complain, isBroken } = options
  const github = isMapping(root) ? root['github'] : undefined
  if (!isMapping(github)) return undefined
  const { token, app } = github
  if (token !== undefined && app !== undefined) complain(APP, 'stands beside token: keep one of the two')
  if (token === undefined && app === undefined && !isBroken(TOKEN) && !isBroken(APP))
    complain(
      TOKEN,
      'is missing: expected a token without white space, as a text such as ${NAME} or as {file: path}; or app: {id, private_key_file}',
    )
  if (typeof token === 'string') return { credentials: { token }, secrets: [] }
  return isMapping(app) ? readApp(app, options) : undefined
}

function readApp(
  { id, private_key_file: file }: Readonly<Record<string, unknown>>,
  { directory, complain, isBroken }: CredentialsOptions,
): ReadCredentials | undefined {
  if (typeof file !== 'string' || isBroken(KEY_FILE)) return undefined
  const key = readReferencedFile(file, directory)
  const wrong = 'wrong' in key ? key.wrong : wrongWith(key.text, resolve(directory, file))
  if (wrong !== undefined) complain(KEY_FILE, wrong)
  if (wrong !== undefined || !('text' in key)) return undefined
  return { credentials: { app: { id: String(id), privateKey: key.text } }, secrets: [withoutFrame(key.text)] }
}

/** What is wrong with the text of a key, for GitHub's purpose. */
function wrongWith(pem: string, file: string): string | undefined {
  const expected = 'expected the .pem file that GitHub has made for the App'
  try {
    const { asymmetricKeyType: kind } = createPrivateKey(pem)
    return kind === 'rsa' ? undefined : `${file} holds a key of the kind ${kind}, not RSA: ${expected}`
  } catch {
    return /ENCRYPTED/.test(pem)
      ? `${file} holds a key with a passphrase: ${expected}`
      : `${file} holds no private key: ${expected}`
  }
}

/** Every key begins and ends with the same words, which are no secret. */
const withoutFrame = (pem: string): string => pem.replaceAll(/^-----.*$/gm, '').trim()
