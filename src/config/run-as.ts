import type { Command, Recipe } from '../deployment/recipe.ts'
import type { Level, WorkOptions } from './work.ts'

/** Complains where commands would have to become another user and cannot, as far as the configuration tells. */
export function checkRunAs(
  recipe: Recipe,
  levels: readonly Level[],
  complain: WorkOptions['complain'],
): void {
  const at = [...(levels[0]?.path ?? []), 'run_as']
  if (recipe.kind === 'ansible' && recipe.runAs !== undefined)
    complain(at, 'has no effect on a playbook; say become_user in it, or run_as of single hooks')
  if (recipe.workspace !== undefined && recipe.releases === undefined && usersIn(recipe).size > 0)
    complain(
      at,
      recipe.kind === 'heroku'
        ? 'cannot stand beside `heroku`: its checkout is in data_dir, which no other user may enter; leave it out'
        : 'cannot stand beside `workspace`: the checkout is in data_dir, which no other user may enter; name a folder of that user, or `releases`',
    )
}

/** The users that commands and hooks of a recipe become. */
export function usersIn(recipe: Recipe): ReadonlySet<string> {
  const { before, verify, afterSuccess, afterFailure } = recipe.hooks
  const hooked = [before, verify, afterSuccess, afterFailure].flat()
  const commands: readonly Command[] = [
    ...(recipe.kind === 'commands' ? recipe.commands : []),
    ...hooked.flatMap((hook) => ('command' in hook ? [hook.command] : [])),
  ]
  const users = [recipe.runAs, ...commands.map((one) => ('words' in one ? one.runAs : undefined))]
  return new Set(users.filter((user) => user !== undefined))
}
