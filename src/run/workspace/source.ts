import type { Workspace } from '../../deployment/recipe.ts'
import { quoted } from '../quoted.ts'

type Variables = Readonly<Record<string, string>>

/** Where a repository is fetched from, and how. */
export interface Source {
  readonly url: string
  /** The transport of the address, as git calls it. */
  readonly protocol: string
  /** Where our own token may be shown: `https://github.com`; undefined where it may not. */
  readonly tokenFor: string | undefined
  /** What git starts instead of ssh. */
  readonly ssh: string
}

/** The source of a repository. `githubUrl` is where people read it: `https://github.com`. Pure. */
export function sourceOf(
  { url: given, sshKeyFile, knownHostsFile, withoutToken = false }: Workspace,
  repository: string,
  githubUrl: string,
): Source {
  const { host, origin } = new URL(githubUrl)
  const usual =
    sshKeyFile === undefined ? `${githubUrl}/${repository}.git` : `ssh://git@${host}/${repository}.git`
  const url = given ?? usual
  const protocol = protocolOf(url)
  const isWeb = protocol === 'https' || protocol === 'http'
  return {
    url,
    protocol,
    tokenFor: isWeb && !withoutToken && new URL(url).origin === origin ? origin : undefined,
    ssh: sshCommand(sshKeyFile, knownHostsFile),
  }
}

function protocolOf(url: string): string {
  const [, protocol] = /^([a-z]+):\/\//.exec(url) ?? []
  return protocol ?? (url.startsWith('/') ? 'file' : 'ssh')
}

/** Asks nobody anything, and speaks to no host that is not known. Options of a command win over those of files: ssh_config(5). */
export function sshCommand(keyFile: string | undefined, knownHostsFile: string | undefined): string {
  const options = [
    'BatchMode=yes',
    'StrictHostKeyChecking=yes',
    'ConnectTimeout=30',
    'ServerAliveInterval=30',
    'ControlMaster=no',
    'ControlPath=none',
    ...(knownHostsFile === undefined
      ? []
      : [`UserKnownHostsFile="${knownHostsFile}"`, 'GlobalKnownHostsFile=/dev/null']),
    ...(keyFile === undefined ? [] : ['IdentitiesOnly=yes', 'IdentityAgent=none']),
  ]
  const key = keyFile === undefined ? [] : ['-i', keyFile]
  return ['ssh', ...key, ...options.flatMap((option) => ['-o', option])].map(quoted).join(' ')
}

export interface GitPlaces {
  /** The file of settings that git reads instead of its user's. */
  readonly settings: string
  /** The file of the token, while it is there. */
  readonly credentials: string
  /** Above these git looks for no repository. */
  readonly ceilings: readonly string[]
}

/** The names in `env:` that also count when the source is fetched. */
const ALSO_FOR_GIT =
  /^(?:PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_ALL|TZ|TMPDIR|FERRYMAN_RUN_ID|(?:https?|all|no)_proxy|SSL_CERT_(?:FILE|DIR)|GIT_SSL_CAINFO)$/i

/** The whole environment of our own git: of what commands get only what it needs, and no secret. Pure. */
export const gitEnvironment = (
  variables: Variables,
  { ssh }: Pick<Source, 'ssh'>,
  { settings, credentials, ceilings }: GitPlaces,
  protocols: readonly string[],
): Variables => ({
  ...Object.fromEntries(Object.entries(variables).filter(([name]) => ALSO_FOR_GIT.test(name))),
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: settings,
  GIT_TERMINAL_PROMPT: '0',
  GIT_SSH_COMMAND: ssh,
  GIT_SSH_VARIANT: 'ssh',
  GIT_ALLOW_PROTOCOL: protocols.join(':'),
  GIT_CEILING_DIRECTORIES: ceilings.join(':'),
  FERRYMAN_GIT_CREDENTIALS: credentials,
})

/**
 * The settings of our own git, also for what it starts itself. The token is given to one origin only, from a file: it
 * is in no argument, no variable and no remote. Pure.
 */
export function gitSettings({ tokenFor, lfs }: Pick<Source, 'tokenFor'> & { readonly lfs: boolean }): string {
  const helper = '!f() { test \\"$1\\" != get || cat \\"$FERRYMAN_GIT_CREDENTIALS\\"; }; f'
  const host = tokenFor === undefined ? '' : new URL(tokenFor).host
  return [
    '[core]\n\thooksPath = /dev/null\n\tfsmonitor = false',
    // What lies in a folder of somebody else may be fetched: nothing of its settings runs anything here.
    '[safe]\n\tdirectory = *',
    '[advice]\n\tdetachedHead = false',
    '[gc]\n\tauto = 0\n\tautoDetach = false\n\tautoPackLimit = 50',
    '[maintenance]\n\tauto = false',
    // Every fetch is one file, and a checkout links few files.
    '[fetch]\n\tunpackLimit = 1\n\trecurseSubmodules = false',
    '[submodule]\n\trecurse = false',
    '[checkout]\n\tworkers = 0',
    '[http]\n\tlowSpeedLimit = 1000\n\tlowSpeedTime = 60',
    '[credential]\n\thelper =',
    ...(tokenFor === undefined
      ? []
      : [
          `[credential "${tokenFor}"]\n\thelper = "${helper}"`,
          // Submodules are often written for people, who have keys.
          `[url "${tokenFor}/"]\n\tinsteadOf = git@${host}:\n\tinsteadOf = ssh://git@${host}/`,
        ]),
    ...(lfs
      ? [
          '[filter "lfs"]\n\tclean = git-lfs clean -- %f\n\tsmudge = git-lfs smudge -- %f\n\tprocess = git-lfs filter-process\n\trequired = true',
        ]
      : []),
    '',
  ].join('\n')
}
