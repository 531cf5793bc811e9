import type { Recipe } from '../deployment/recipe.ts'
import { namesCommit } from '../deployment/source.ts'
import type { EnvironmentConfig } from './config.ts'
import { isMapping } from './document.ts'
import type { EnvironmentEntry } from './schema.ts'
import { originIn, type Level, type WorkOptions } from './work.ts'

/** Whether anything in a configuration is deployed via GitHub, or nothing is in it. */
export function needsGitHub(root: unknown): boolean {
  if (!isMapping(root)) return false
  const { repositories } = root
  const entries = isMapping(repositories) ? Object.values(repositories) : []
  return entries.length === 0 || entries.some((entry) => !isMapping(entry) || entry['via'] !== 'none')
}

const CHECKS = 'is about what GitHub reports of a commit'
const INSTEAD = 'let a command under `hooks: {before: …}` ask whoever knows'

/** What only GitHub can do something about, and what to write instead. */
const OF_GITHUB = {
  required_contexts: `${CHECKS}; ${INSTEAD}`,
  enforce_required_contexts: CHECKS,
  even_when_forced: `${CHECKS}; ${INSTEAD}`,
  checks_wait: CHECKS,
  deploy_on: 'is about merges and pushes, of which GitHub tells; write `poll`, such as `poll: off`',
  accept_actions_deployments: 'is about deployments that are made at GitHub',
  commit_status: 'is about what is written to GitHub',
  public_logs: 'is about what is written to GitHub',
} as const satisfies Partial<Record<keyof EnvironmentEntry, string>>

/** Complains about what an entry without GitHub cannot have, what it needs, and about `poll` elsewhere. */
export function checkVia(
  { via, recipe, tasks, anyTask, branch, defaultRef }: EnvironmentConfig,
  levels: readonly Level[],
  complain: WorkOptions['complain'],
): void {
  const isSaid = (key: keyof EnvironmentEntry): boolean =>
    levels.some(({ entry }) => entry[key] !== undefined)
  if (via === 'github') {
    if (isSaid('poll'))
      complain(
        originIn(levels, 'poll'),
        'needs `via: none` beside it: what is at GitHub is told by its webhooks, and `catch_up` asks for what was missed',
      )
    return
  }
  for (const [key, why] of Object.entries(OF_GITHUB) as [keyof typeof OF_GITHUB, string][])
    if (isSaid(key)) complain(originIn(levels, key), `${why}: with \`via: none\` nobody is asked there`)
  const { workspace, releases } = recipe
  if (releases?.source !== undefined) {
    const { address } = releases.source
    if (namesCommit('literal' in address ? address.literal : 'template' in address ? address.template : ''))
      complain(
        originIn(levels, 'source'),
        'has a commit in it, and with `via: none` nobody names one: write an address that always holds the newest',
      )
    for (const [key, given] of [
      ['branch', branch],
      ['default_ref', defaultRef],
    ] as const)
      if (given !== undefined) complain(originIn(levels, key), 'is nothing here: the source is a zip')
  } else if (workspace === undefined)
    complain(
      [...(levels.at(-1)?.path ?? []), 'via'],
      'none needs a source that can be asked: `workspace: {url: …}` for a git repository, or `source: https://….zip` with `releases`',
    )
  const all = [recipe, ...tasks.values(), ...(anyTask === undefined ? [] : [anyTask])]
  if (all.some((one) => one.workspace !== undefined && one.workspace.url === undefined))
    complain(
      originIn(levels, 'workspace'),
      'needs a url with `via: none`, such as {url: https://git.example.org/shop.git}',
    )
}

/** The recipe of an entry without GitHub: it shows nobody our token there, and knows a zip by its version. Pure. */
export function withoutGitHub<Any extends Recipe>(recipe: Any): Any {
  const { workspace, releases } = recipe
  return {
    ...recipe,
    ...(workspace && { workspace: { ...workspace, withoutToken: true } }),
    ...(releases?.source && { releases: { ...releases, source: { ...releases.source, isPolled: true } } }),
  }
}
