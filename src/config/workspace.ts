import { isAbsolute, resolve } from 'node:path'

import { IN_WORKSPACE, type Recipe, type Workspace, wordsOf } from '../deployment/recipe.ts'
import { gitSourceIn } from './git-source.ts'
import { placeholdersIn } from './placeholders.ts'
import { hasReleases, isOfArchive } from './releases.ts'
import { isPushed, originIn, type Level, type WorkOptions } from './work.ts'

/** What the nearest level says about a checkout for each deployment; undefined: there is none. */
export function readWorkspace(
  levels: readonly Level[],
  { directory, complain }: Pick<WorkOptions, 'directory' | 'complain'>,
): Workspace | undefined {
  const given = workspaceIn(levels)
  if (given === undefined) return undefined
  const path = (file: string | undefined) => (file === undefined ? undefined : resolve(directory, file))
  const { url: ownUrl, submodules = false, lfs = false, ssh_key_file: key, known_hosts_file: hosts } = given
  const at = originIn(levels, 'workspace')
  const url = ownUrl ?? gitSourceIn(levels)?.url
  for (const [name, text] of Object.entries({ url: ownUrl, ssh_key_file: key, known_hosts_file: hosts })) {
    const [placeholder] = placeholdersIn(text ?? '')
    if (placeholder !== undefined)
      complain([...at, name], `{${placeholder}} is not filled here; write it as it is`)
  }
  if (key !== undefined && url !== undefined && !isOverSsh(url))
    complain(
      [...at, 'ssh_key_file'],
      `opens nothing at ${url}; write an address such as git@example.org:shop.git`,
    )
  return {
    submodules,
    lfs,
    url: url?.startsWith('.') === true ? resolve(directory, url) : url,
    sshKeyFile: path(key),
    knownHostsFile: path(hosts),
  }
}

/** Whether the nearest level that speaks of it wants a checkout. */
export const hasWorkspace = (levels: readonly Level[]): boolean =>
  workspaceIn(levels) !== undefined || hasReleases(levels)

function workspaceIn(levels: readonly Level[]) {
  const said = levels.find(({ entry }) => entry.workspace !== undefined)?.entry.workspace
  if (said === undefined || said === 'none')
    return gitSourceIn(levels) !== undefined ||
      isPushed(levels) ||
      (hasReleases(levels) && !isOfArchive(levels))
      ? {}
      : undefined
  return said === 'fresh' ? {} : said
}

const isOverSsh = (url: string): boolean => url.startsWith('ssh://') || /^[^/]+@[^/]+:/.test(url)

/** Where relative paths begin in a checkout: at a folder of it, which has to be one. */
export function folderInWorkspace(
  levels: readonly Level[],
  folder: string | undefined,
  complain: WorkOptions['complain'],
): string {
  // A release is made of the folder that its source names, and begins there.
  const inside = hasReleases(levels) ? undefined : gitSourceIn(levels)?.path
  const path = resolve(IN_WORKSPACE, inside ?? '.', folder ?? '.')
  if ((folder !== undefined && isAbsolute(folder)) || !`${path}/`.startsWith(`${IN_WORKSPACE}/`)) {
    const [maker, otherwise] = isPushed(levels)
      ? ['heroku', 'or write `folder: .` beside heroku']
      : ['workspace', 'or write `workspace: none` beside it']
    complain(
      originIn(levels, 'folder'),
      `${folder ?? ''} is not in the checkout that \`${maker}\` makes; write a path relative to its root, leave folder out, ${otherwise}`,
    )
  }
  return path
}

/** Complains about {workspace} where there is none. */
export function checkWorkspaceWord(
  { workspace, hooks, ...recipe }: Recipe,
  levels: readonly Level[],
  complain: WorkOptions['complain'],
): void {
  if (workspace !== undefined) return
  const asks = (words: readonly string[]): boolean =>
    words.some((word) => placeholdersIn(word).includes('workspace'))
  const hooked = [hooks.before, hooks.verify, hooks.afterSuccess, hooks.afterFailure].flat()
  const places = [
    ['commands', recipe.kind === 'commands' && recipe.commands.some((one) => asks(wordsOf(one)))],
    ['hooks', hooked.some((hook) => 'command' in hook && asks(wordsOf(hook.command)))],
  ] as const
  for (const [key, isThere] of places)
    if (isThere)
      complain(
        originIn(levels, key),
        '{workspace} is nothing here: each deployment has a checkout of its own only with `workspace: fresh`',
      )
}
