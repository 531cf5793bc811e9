import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { RunParts } from '../../src/run/parts.ts'
import { playbookRecipe } from './samples.ts'
import { runFor, runningDeployment, temporaryFolder } from './running.ts'

type RunGiven = Partial<Omit<Parameters<typeof runFor>[0], 'deployment'>>

interface Given extends RunGiven {
  /** The plays, as Ansible reads them. JSON is YAML. */
  readonly plays: unknown
  /** The lines of the inventory. */
  readonly hosts?: readonly string[]
  readonly inventory?: string
  readonly playbook?: string
  /** More files beside the playbook. */
  readonly files?: Readonly<Record<string, string>>
  readonly env?: Record<string, string>
  /** Variables that the configuration takes from elsewhere: secrets. */
  readonly secrets?: Readonly<Record<string, string>>
  readonly deployment?: Parameters<typeof runningDeployment>[0]
}

/** A host that is this machine. */
export const local = (name: string): string =>
  `${name} ansible_connection=local ansible_python_interpreter=auto_silent`

/** A host where nobody listens. */
export const nobody = (name: string): string => `${name} ansible_host=127.0.0.1 ansible_port=1`

/** One play over hosts, without the slow look at each machine. */
export const play = (hosts: string, ...tasks: readonly object[]): object => ({
  hosts,
  gather_facts: false,
  tasks,
})

/** Runs a playbook for real; answers the result, the log without its time stamps, and the folder of the playbook. */
export async function runPlaybook({
  plays,
  hosts = [local('web1')],
  files = {},
  env = {},
  secrets = {},
  ...given
}: Given) {
  const folder = temporaryFolder()
  writeFileSync(join(folder, 'hosts.ini'), `${hosts.join('\n')}\n`)
  writeFileSync(join(folder, 'site.yml'), typeof plays === 'string' ? plays : JSON.stringify(plays))
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(folder, name), content)
    if (content.startsWith('#!')) chmodSync(join(folder, name), 0o755)
  }
  const recipe = playbookRecipe({
    folder,
    inventory: given.inventory ?? join(folder, 'hosts.ini'),
    playbook: given.playbook ?? join(folder, 'site.yml'),
    timeoutSeconds: given.timeoutSeconds ?? 60,
    env: {
      ...Object.fromEntries(Object.entries(env).map(([name, literal]) => [name, { literal }])),
      ...Object.fromEntries(Object.keys(secrets).map((name) => [name, { template: name }])),
    },
  })
  const resolve: RunParts['resolve'] = (value) =>
    'literal' in value ? value.literal : 'template' in value ? (secrets[value.template] ?? '') : ''
  const ran = await runFor({
    ...given,
    commands: [],
    deployment: { recipe, ...given.deployment },
    parts: { resolve, ...given.parts },
  })
  return { ...ran, folder }
}
