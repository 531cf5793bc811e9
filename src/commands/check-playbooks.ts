import { join } from 'node:path'

import type { Config, EnvironmentConfig } from '../config/config.ts'
import { resolveValue } from '../config/values.ts'
import { recipeAt, type PlaybookRecipe } from '../deployment/recipe.ts'
import { createMasker } from '../logs/redact.ts'
import { rehearse } from '../run/ansible/rehearse.ts'
import { baseEnvironment, type ServerSide } from '../run/environment.ts'
import { doubtful, fine, wrong, type Finding } from './findings.ts'

const TIMEOUT_MS = 60_000

/** What Ansible says of each playbook. None of its tasks is run. */
export async function* checkPlaybooks(config: Config, server: ServerSide): AsyncGenerator<Finding> {
  const masker = createMasker(config.secrets)
  for (const { environments } of config.repositories.values())
    for (const environment of environments.values())
      for (const [task, recipe] of [['deploy', environment.recipe] as const, ...environment.tasks])
        for (const finding of await checkPlaybook({ ...environment, recipe }, task, config, server))
          yield { ...finding, text: masker.mask(finding.text) }
}

async function checkPlaybook(
  { repository, name, recipe }: EnvironmentConfig,
  task: string,
  config: Config,
  server: ServerSide,
): Promise<Finding[]> {
  if (recipe.kind !== 'ansible') return []
  const where = `${repository} ${name}${task === 'deploy' ? '' : ` ${task}`}`
  const trial = `ferryman dry-run ${repository} ${name}${task === 'deploy' ? '' : ` --task ${task}`}`
  if (recipe.workspace !== undefined)
    return [
      doubtful(
        `${where}: ${recipeAt(recipe, 'the checkout').playbook} was not read`,
        `It is in the checkout that each deployment makes. The running server makes one to try it, and changes nothing: ${trial}`,
      ),
    ]
  const variables = variablesOf(recipe, config, server)
  const rehearsal = await rehearse(recipe, {
    variables,
    repository,
    environment: name,
    installed: join(config.dataDir, 'installed'),
    timeoutMs: TIMEOUT_MS,
    resolve: (value) => resolveValue(value, { environment: server.environment, lookup: config.lookup }),
  })
  if ('reason' in rehearsal) {
    if (rehearsal.reason === 'folder_missing') return [] // which check-machine.ts says of every folder
    if (rehearsal.reason === 'timed_out')
      return [doubtful(`${where}: ${rehearsal.detail}`, 'Look at its inventory, if that is a program.')]
    return [wrong(`${where}: ${rehearsal.detail}`, HINTS[rehearsal.reason] ?? HINT)]
  }
  const { plays, notes } = rehearsal
  const noted = notes.map((note) => doubtful(`${where}: ${note}`, ''))
  if (plays === undefined)
    return [
      doubtful(
        `${where}: ${recipe.playbook} is read when the next deployment has installed what ${recipe.options.requirements ?? 'it requires'} names; all else that it needs is there`,
        `The running server tries both, and changes nothing: ${trial}`,
      ),
      ...noted,
    ]
  const hosts = new Set(plays.flatMap((play) => play.hosts))
  return [
    hosts.size === 0
      ? wrong(
          `${where}: ${recipe.playbook} means no host`,
          'Compare `hosts:` of its plays with the inventory.',
        )
      : fine(`${where}: ${recipe.playbook} on ${listed([...hosts])}`),
    ...(hosts.size === 0 ? [] : plays.filter((play) => play.hosts.length === 0)).map(({ pattern }) =>
      doubtful(`${where}: no host is meant by ${pattern}`, 'Its play would be left out.'),
    ),
    ...noted,
  ]
}

const HINT = 'Try `ansible-playbook --syntax-check` with it by hand.'
const HINTS: Readonly<Record<string, string>> = {
  command_not_found: 'On Debian and Ubuntu: apt-get install ansible.',
  playbook_missing:
    'Correct `ansible_playbook`; a relative path begins at `folder`, else at the configuration.',
  inventory_missing:
    'Correct `ansible_hosts`; a relative path begins at `folder`, else at the configuration.',
  config_invalid:
    'Correct it under `ansible`; a relative path begins at `folder`, else at the configuration.',
}

function variablesOf(recipe: PlaybookRecipe, { lookup }: Config, server: ServerSide): Record<string, string> {
  const { environment } = server
  const own = Object.entries(recipe.env).map(([name, value]) => [
    name,
    resolveValue(value, { environment, lookup }),
  ])
  return baseEnvironment(server, Object.fromEntries(own) as Record<string, string>)
}

const MOST_NAMED = 5

function listed(hosts: readonly string[]): string {
  const named = hosts.slice(0, MOST_NAMED).join(', ')
  return hosts.length > MOST_NAMED ? `${named} and ${hosts.length - MOST_NAMED} more hosts` : named
}
