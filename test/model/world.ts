import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { Config } from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/load.ts'
import { startGitHubDouble, type GitHubDouble } from '../../src/demo/github-double.ts'
import type { Deployment as Published } from '../../src/demo/github/state.ts'
import type { Deployment } from '../../src/deployment/deployment.ts'
import { MOVES, type State } from '../../src/deployment/state.ts'
import { openStore } from '../../src/store/sql-store.ts'
import type { Store } from '../../src/store/store.ts'
import { emptyDatabase } from '../support/stores.ts'
import { beginLife, type Life } from './life.ts'
import { createModel, SHOP, type Model } from './model.ts'

/** Two environments share a lane; one has a window and checks, one takes the latest only, one what that has proved and people agree to. */
const CONFIG = `
server: {public_url: https://deploy.example.org}
github: {webhook_secret: a-secret-of-some-length, token: robot-token}
repositories:
  ${SHOP}:
    folder: /srv/shop
    commands: [['true']]
    environments:
      production:
        lane: shop
        required_contexts: [ci/test]
        checks_wait: 3h
        windows: {zone: UTC, deny: [{cron: '0 12 * * *', duration: 6h, name: midday}]}
      preview: {lane: shop}
      staging: {deploy_on: push, order: latest, folder: /srv/staging}
      release: {deploy_on: none, after: staging, approval: true, folder: /srv/release}
`

/** Everything that is real: GitHub's double, the database, and one life of the server after the other. */
export interface World {
  readonly model: Model
  readonly github: GitHubDouble
  readonly life: Life
  /** What GitHub has, oldest first. */
  readonly published: readonly Published[]
  /** Reads what is written down. */
  readonly rows: () => Promise<readonly Deployment[]>
  readonly store: Store
  /** Does something; when the life ends in the midst of it, another one begins. */
  act(work: () => Promise<void>): Promise<void>
  close(): Promise<void>
}

export type Engine = keyof typeof emptyDatabase

export async function openWorld(engine: Engine): Promise<World> {
  const model = createModel()
  const clock = (): number => model.now
  const github = await startGitHubDouble({ clock })
  const repository = github.addRepository(SHOP, { id: 17 })
  github.addToken('robot-token', { type: 'classic', login: 'robot', scopes: ['repo'] })
  github.addUser('mona')
  const database = await emptyDatabase[engine]()
  let store = await openStore(database.address)
  const first = repository.branches.get('main')?.sha ?? ''
  model.commits.push(first)
  for (const environment of ['production', 'preview', 'staging'])
    await store.see({
      repository: SHOP,
      repositoryGithubId: 17,
      configuredAs: SHOP,
      environment,
      branch: 'main',
      sha: first,
      at: model.now,
    })
  const config = readConfig()
  const begin = (): Promise<Life> =>
    beginLife({ store, config, githubUrl: github.url, clock, begun: (one) => model.begin(one) })
  let life = await begin()
  const rows = (): Promise<readonly Deployment[]> => store.inState(...(Object.keys(MOVES) as State[]))
  const restart = async (): Promise<void> => {
    await life.death.quiet()
    for (const { id } of await store.inState('running', 'cancelling')) model.interrupted.add(id)
    await store.close()
    store = await openStore(database.address)
    model.locks = await store.locks.all(model.now) // whoever took or freed one just then looks whether it is there
    life = await begin()
  }
  return {
    model,
    github,
    get life() {
      return life
    },
    published: repository.deployments,
    rows,
    get store() {
      return store
    },
    async act(work) {
      await Promise.race([work(), life.death.over])
      await life.death.quiet()
      if (life.death.isOver) await restart()
    },
    async close() {
      life.death.die()
      await life.death.quiet()
      await store.close()
      await github.close()
      await database.drop()
    },
  }
}

function readConfig(): Config {
  const folder = mkdtempSync(join(tmpdir(), 'ferryman-model-'))
  try {
    const file = join(folder, 'config.yml')
    writeFileSync(file, CONFIG)
    return loadConfig(file, { environment: {} })
  } finally {
    rmSync(folder, { recursive: true })
  }
}
