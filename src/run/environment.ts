import { dirname, resolve } from 'node:path'

import { nameOf, type Deployment } from '../deployment/deployment.ts'

export interface ServerSide {
  /** The server's own environment; only what is named here is handed on. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Of the user that runs the server: what HOME and the like are when the environment does not say. */
  readonly user: { readonly name: string; readonly home: string; readonly shell: string }
  /** Folders whose `node_modules/.bin` npm puts in front of PATH: the project's, and where npm was called. */
  readonly npmFolders: readonly string[]
}

export interface RunSide {
  readonly runId: string
  readonly previousSha: string | undefined
  readonly payloadFile: string
  /** The path of the checkout; undefined where the recipe has none. */
  readonly workspace?: string | undefined
  /** What is said of the release that it makes; nothing where it makes none. */
  readonly release?: Readonly<Record<string, string>>
  /** The recipe's `env`, resolved. */
  readonly env: Readonly<Record<string, string>>
}

const STANDARD_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const HANDED_ON = ['TMPDIR', 'TZ', 'LANG']
// Linux takes no more than 128 kB in one variable.
const MOST_PAYLOAD_BYTES = 64 * 1024

/** The whole environment of a command: nothing of the server's own that is not named here. Pure. */
export function commandEnvironment(
  deployment: Deployment,
  server: ServerSide,
  run: RunSide,
): Record<string, string> {
  const given = {
    ...baseEnvironment(server, run.env),
    ...githubVariables(deployment),
    ...ferrymanVariables(deployment, run),
    ...run.release,
  }
  // No process can be handed a NUL.
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [name, value.replaceAll('\0', '')]))
}

/** The part that is the same for every deployment, `env` included. Pure. */
export const baseEnvironment = (server: ServerSide, env: RunSide['env']): Record<string, string> => ({
  ...inherited(server),
  ...env,
})

function inherited({ environment, user, npmFolders }: ServerSide): Record<string, string> {
  const handedOn = HANDED_ON.flatMap((name) =>
    environment[name] === undefined ? [] : [[name, environment[name]]],
  )
  return {
    ...(Object.fromEntries(handedOn) as Record<string, string>),
    PATH: commandPath(environment, npmFolders),
    HOME: environment['HOME'] ?? user.home,
    USER: environment['USER'] ?? user.name,
    LOGNAME: environment['LOGNAME'] ?? user.name,
    SHELL: environment['SHELL'] ?? user.shell,
    LC_ALL: 'C.UTF-8',
  }
}

/** The PATH that commands get. */
export const commandPath = (
  environment: Readonly<Record<string, string | undefined>>,
  npmFolders: readonly string[],
): string => withoutNpm(environment['PATH'] ?? STANDARD_PATH, npmFolders)

/** Under `npm start` PATH begins with our own programs: a command's `node` would be ours. */
function withoutNpm(path: string, folders: readonly string[]): string {
  const added = new Set(folders.flatMap(ancestors).map((folder) => resolve(folder, 'node_modules/.bin')))
  const kept = path.split(':').filter((entry) => !added.has(entry) && !entry.endsWith('/node-gyp-bin'))
  return kept.length === 0 ? STANDARD_PATH : kept.join(':')
}

const ancestors = (folder: string): string[] =>
  dirname(folder) === folder ? [folder] : [folder, ...ancestors(dirname(folder))]

/** The ten that every hook of github-deploy-agent knows. */
function githubVariables(deployment: Deployment): Record<string, string> {
  const [owner = '', name = ''] = deployment.repository.split('/')
  return {
    GITHUB_TASK: deployment.task,
    GITHUB_DEPLOYMENT_ID: String(deployment.githubId ?? ''),
    GITHUB_DEPLOYMENT_URL: deployment.apiUrl,
    GITHUB_REF: deployment.ref,
    GITHUB_SHA: deployment.sha,
    GITHUB_OWNER: owner,
    GITHUB_REPO: name,
    GITHUB_CREATOR: deployment.actor,
    GITHUB_CREATOR_AVATAR: deployment.actor === deployment.creator ? deployment.creatorAvatar : '',
    GITHUB_ENV: deployment.environment,
  }
}

function ferrymanVariables(
  deployment: Deployment,
  { runId, previousSha, payloadFile, workspace }: RunSide,
): Record<string, string> {
  const { id, number, environment, sha, payload } = deployment
  return {
    FERRYMAN_DEPLOYMENT: nameOf(deployment),
    FERRYMAN_DEPLOYMENT_ID: String(id),
    FERRYMAN_NUMBER: String(number),
    FERRYMAN_ENVIRONMENT: environment,
    FERRYMAN_SHA: sha,
    FERRYMAN_SHORT_SHA: sha.slice(0, 7),
    FERRYMAN_PREVIOUS_SHA: previousSha ?? '',
    FERRYMAN_RUN_ID: runId,
    FERRYMAN_PAYLOAD_FILE: payloadFile,
    ...(workspace === undefined ? {} : { FERRYMAN_WORKSPACE: workspace }),
    ...(Buffer.byteLength(payload) <= MOST_PAYLOAD_BYTES ? { FERRYMAN_PAYLOAD: payload } : {}),
  }
}
