import { onTestFinished } from 'vitest'

import type { EnvironmentConfig } from '../../src/config/config.ts'
import { createGate, withChecks } from '../../src/decide/gates.ts'
import { createHistory } from '../../src/decide/history.ts'
import { look, type LookParts } from '../../src/decide/look.ts'
import type { Deployment } from '../../src/deployment/deployment.ts'
import { createGitHubPace } from '../../src/github/pace.ts'
import { openStore } from '../../src/store/sql-store.ts'
import type { NewDeployment } from '../../src/store/store.ts'
import { clientOf, shopAtGitHub } from './doubles.ts'
import { environmentConfig, queuedIntake } from './samples.ts'
import { emptyDatabase } from './stores.ts'

/** A shop at GitHub, and looks at what waits to go to its production. */
export async function openLooks(given: Partial<EnvironmentConfig> = {}) {
  const { github, sha } = await shopAtGitHub()
  const database = await emptyDatabase.sqlite()
  const store = await openStore(database.address)
  onTestFinished(async () => {
    await store.close()
    await database.drop()
  })
  const client = clientOf(github)
  const environment = environmentConfig({ branch: 'main', ...given })
  const gate = createGate(() => environment)
  const history = createHistory(() => client)
  const journal: string[] = []
  const say = (event: string): void => void journal.push(event)
  const partsAt = (at: number): LookParts => ({
    store,
    history,
    github: () => client,
    gate,
    environmentOf: () => environment,
    isSightOwed: () => false,
    pace: () => createGitHubPace(480),
    reports: () => [],
    mask: (text) => text,
    clock: () => at,
    elapsed: (_, beganAt) => at - beganAt,
    journal: { info: say, warn: say, error: say },
    moved() {},
  })
  return {
    github,
    sha,
    store,
    client,
    gate,
    environment,
    journal,
    /** Records a deployment, as it comes. */
    async take(wanted: NewDeployment): Promise<Deployment> {
      const [accepted] = await store.accept([queuedIntake(wanted)])
      const [deployment] = accepted?.deployments ?? []
      if (deployment === undefined) throw new Error('nothing was recorded')
      return deployment
    },
    /** One look at all that waits, at that moment; `isQuiet`: nothing has happened. */
    async lookAt(at: number, { isQuiet = false, ...parts }: Partial<LookParts> & { isQuiet?: boolean } = {}) {
      const looking = { waiting: await store.waiting(), moved: undefined, failures: 0, isQuiet }
      return look(looking, { ...partsAt(at), ...parts })
    },
    /** What is next begins, where its gates are open; answers what has. */
    claim: async (at: number): Promise<Deployment | undefined> =>
      (await store.claim({ limit: 9, at, reports: () => [], gate: withChecks(gate, () => environment) }))
        .deployment,
    /** What runs has succeeded. */
    succeed: (id: number, at: number) => store.move(id, 'running', 'succeeded', { at, reports: () => [] }),
  }
}
