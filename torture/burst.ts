import { setTimeout as pause } from 'node:timers/promises'

import { cancel } from './cancel.ts'
import type { Act } from './plan.ts'
import type { World } from './world.ts'

/** Does what was planned, one after the other, and waits until every delivery was answered or lost. */
export async function sendBurst(world: World, acts: readonly Act[]): Promise<void> {
  const sending: Promise<unknown>[] = []
  for (const act of acts) {
    await pause(act.afterMs)
    sending.push(perform(world, act))
  }
  await Promise.all(sending)
}

async function perform(world: World, act: Act): Promise<unknown> {
  const { github, line } = world
  switch (act.kind) {
    case 'deploy':
      return deployAndAgain(world, act)
    case 'push':
      return github.push(act.repository, [{ message: 'A change' }])
    case 'merge':
      return github.merge(act.repository, { number: 1, title: 'A change', author: 'mona', method: 'squash' })
    case 'check':
      return github.reportStatus(act.repository, headOf(world, act.repository), {
        context: 'ci',
        state: 'success',
      })
    case 'ping':
      return github.deliver('ping', github.events.ping(hookOf(world, act.repository)), {
        hook: hookOf(world, act.repository),
      })
    case 'forgery':
      return github.deliver('ping', github.events.ping(hookOf(world, act.repository)), {
        hook: hookOf(world, act.repository),
        secret: 'not the secret',
      })
    case 'cancel':
      return cancel(world, act)
    case 'cut':
      return line.cutNext(act.where)
    default:
      return act satisfies never
  }
}

/** Makes a deployment at GitHub, of which the server hears. */
export const deploy = ({ github }: World, repository: string, environment: string, ref: string) =>
  github.createDeployment(repository, { ref, environment, auto_merge: false, required_contexts: [] })

async function deployAndAgain(
  world: World,
  { environment, branch, again }: Act & { readonly kind: 'deploy' },
): Promise<void> {
  const { repository, name } = environment
  const { github } = world
  const { deployment, deliveries } = await deploy(world, repository, name, branch)
  const [first] = deliveries
  if (again === 'redelivered' && first !== undefined) await github.redeliver(first.guid)
  if (again !== 'replayed') return
  const replay = { hook: hookOf(world, repository), guid: `replay-of-${deployment.id}` }
  const payload = github.events.deployment(deployment)
  await Promise.all([1, 2].map(() => github.deliver('deployment', payload, replay)))
}

const repositoryOf = ({ repositories }: World, name: string) => {
  const found = repositories.find((one) => `${one.owner}/${one.name}` === name)
  if (found === undefined) throw new Error(`There is no repository ${name}`)
  return found
}

function hookOf(world: World, name: string) {
  const [hook] = repositoryOf(world, name).hooks
  if (hook === undefined) throw new Error(`${name} has no hook`)
  return hook
}

const headOf = (world: World, name: string): string =>
  repositoryOf(world, name).branches.get('main')?.sha ?? ''
