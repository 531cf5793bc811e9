import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'

import { wholeOf } from './mark.ts'
import { findProgram } from './program.ts'

/** Where what we need ourselves is found, whatever a command calls PATH. */
const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const TIMEOUT_MS = 10_000

/** A user that commands may become: a line of passwd(5). */
interface AnotherUser {
  readonly name: string
  readonly uid: number
  readonly gid: number
  readonly home: string
  readonly shell: string
}

/** Somebody, with the words that make a command theirs. */
interface Becoming {
  readonly user: AnotherUser
  readonly words: readonly string[]
}

/** Why nobody can become that user, and what to do about it; a sentence each. */
interface CannotBecome {
  readonly why: string
  readonly hint: string
}

/** Why no command can run as that user; undefined: they can. Nothing of that user is run but `true`. */
export async function whyNotAs(name: string): Promise<CannotBecome | undefined> {
  const way = await findWay(name)
  if (way === undefined || 'why' in way) return way
  const refused = await act(way.words, ':', '')
  return refused === undefined ? undefined : refusal(name, refused)
}

const refusal = (name: string, cause: string): CannotBecome => ({
  why: `Ferryman may not become ${name}: ${cause}.`,
  hint: 'See run_as in docs/recipes.md.',
})

/** How a command becomes that user's; undefined where it is who we are. */
async function findWay(name: string): Promise<Becoming | CannotBecome | undefined> {
  const user = await findUser(name)
  if (user !== undefined) return wayTo(user)
  return { why: `There is no user ${name} on this machine.`, hint: 'Make it, or correct run_as.' }
}

/**
 * With the groups that belong to that user, and without any right of root. Root needs setpriv for that; whoever is not
 * root needs sudo, which has to allow it.
 */
function wayTo(user: AnotherUser): Becoming | CannotBecome | undefined {
  const us = process.getuid?.()
  if (user.uid === us) return undefined
  if (user.uid === 0)
    return {
      why: `Ferryman becomes no ${user.name}: what has all rights could not be ended.`,
      hint: 'Let a command say `sudo -n` itself, for exactly what needs it.',
    }
  const program = us === 0 ? 'setpriv' : 'sudo'
  const path = findProgram(program, '/', SYSTEM_PATH)
  if (path === undefined)
    return {
      why: `There is no program ${program}, which run_as needs to become ${user.name}.`,
      hint: us === 0 ? 'Install util-linux.' : 'Install it, or let Ferryman run as root.',
    }
  const ids = [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--init-groups', '--inh-caps=-all']
  return { user, words: us === 0 ? [path, ...ids, '--'] : [path, '-n', '-u', user.name, '--'] }
}

/** What the environment says of whoever runs it. */
const variablesOf = ({ name, home, shell }: AnotherUser): Readonly<Record<string, string>> => ({
  HOME: home,
  USER: name,
  LOGNAME: name,
  SHELL: shell,
})

/** By name or, for what is found on the disk, by number. */
async function findUser(name: string): Promise<AnotherUser | undefined> {
  const { execa } = await import('execa')
  // Users may live in a directory on the network.
  const { failed, code, stdout } = await execa('getent', ['passwd', '--', name], QUIETLY)
  const lines = failed && code === 'ENOENT' ? readFileSync('/etc/passwd', 'utf8') : stdout
  const fields = lines.split('\n').map((line) => line.split(':'))
  const [found, , uid = '', gid = '', , home, shell] =
    fields.find((line) => line[0] === name || line[2] === name) ?? []
  if (found === undefined || !/^\d+$/.test(uid) || !/^\d+$/.test(gid)) return undefined
  return { name: found, uid: Number(uid), gid: Number(gid), home: home || '/', shell: shell || '/bin/sh' }
}

const QUIETLY = {
  cwd: '/',
  extendEnv: false,
  env: { PATH: SYSTEM_PATH, LC_ALL: 'C.UTF-8' },
  stdin: 'ignore',
  stdout: 'pipe',
  stderr: 'ignore',
  timeout: TIMEOUT_MS,
  maxBuffer: 100_000,
  reject: false,
} as const

/** Who the commands of a run become. */
export interface Users {
  /** How commands become that user's, and what differs in their environment; undefined where it is who we are. */
  as(name: string): Promise<Become | CannotBecome | undefined>
  /** Takes away what was handed over to them. */
  takeBack(): Promise<void>
}

interface Become {
  /** Stand in front of a command. */
  readonly words: readonly string[]
  readonly variables: Readonly<Record<string, string>>
}

/**
 * The users of one run, each of whom gets the payload in a file that nobody else may read. It is that user who makes and
 * removes it, so that nothing of theirs is ever touched with our rights.
 */
export function createUsers(payload: string, runId: string): Users {
  const known = new Map<string, ReturnType<Users['as']>>()
  const folders: { readonly folder: string; readonly words: readonly string[] }[] = []
  const meet = async (name: string): ReturnType<Users['as']> => {
    const becoming = await findWay(name)
    if (becoming === undefined || 'why' in becoming) return becoming
    const { user, words } = becoming
    const folder = join(SHARED, `${prefixOf(runId)}${user.uid}`)
    folders.push({ folder, words })
    const refused = await act(words, 'umask 077 && mkdir -- "$1" && cat >"$1/payload.json"', folder, payload)
    if (refused !== undefined) return refusal(name, refused)
    return { words, variables: { ...variablesOf(user), FERRYMAN_PAYLOAD_FILE: `${folder}/payload.json` } }
  }
  return {
    as(name) {
      const met = known.get(name) ?? meet(name)
      known.set(name, met)
      return met
    },
    async takeBack() {
      await Promise.all(folders.map(({ folder, words }) => act(words, 'rm -rf -- "$1"', folder)))
    },
  }
}

/** Where every user may make a folder; TMPDIR may be ours alone. */
const SHARED = '/tmp'

/** The run id itself is nobody's to know. Of a run that was broken off only the ids of its parts may be known. */
const prefixOf = (runId: string): string =>
  `ferryman-${createHash('sha256').update(wholeOf(runId)).digest('hex').slice(0, 16)}-`

/** Takes away what runs of an earlier life have handed over, as those to whom it belongs. */
export async function takeBackLeft(runIds: readonly string[]): Promise<void> {
  const prefixes = [...new Set(runIds)].map(prefixOf)
  const names = await readdir(SHARED).catch(() => [])
  for (const name of names.filter((one) => prefixes.some((prefix) => one.startsWith(prefix)))) {
    const folder = join(SHARED, name)
    const { uid } = (await lstat(folder).catch(() => undefined)) ?? {}
    const owner = uid === undefined ? undefined : await findUser(String(uid))
    const way = owner === undefined ? undefined : wayTo(owner)
    if (way !== undefined && 'words' in way) await act(way.words, 'rm -rf -- "$1"', folder)
  }
}

/** Does something small as somebody else; answers why it could not be done. */
async function act(
  [program = '', ...words]: readonly string[],
  script: string,
  folder: string,
  input?: string,
): Promise<string | undefined> {
  const { execa } = await import('execa')
  const { failed, stderr, shortMessage } = await execa(
    program,
    [...words, '/bin/sh', '-c', script, 'sh', folder],
    { ...QUIETLY, stderr: 'pipe', ...(input === undefined ? {} : { stdin: 'pipe', input }) },
  )
  return failed ? stderr.split('\n')[0] || shortMessage : undefined
}
