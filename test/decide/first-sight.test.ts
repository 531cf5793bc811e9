import { expect, onTestFinished, test } from 'vitest'

import type { EnvironmentConfig, RepositoryConfig } from '../../src/config/config.ts'
import { startFirstSight } from '../../src/decide/first-sight.ts'
import { createGitHub } from '../../src/github/client.ts'
import { openStore } from '../../src/store/sql-store.ts'
import { shopAtGitHub } from '../support/doubles.ts'
import { eventually } from '../support/running.ts'
import { environmentConfig as environment } from '../support/samples.ts'
import { emptyDatabase } from '../support/stores.ts'

const TOKEN = 'robot-token'

/** A sight of one repository's environments; `look` resolves with what the journal said by then. */
async function sightOf(...first: readonly EnvironmentConfig[]) {
  const { github, sha } = await shopAtGitHub()
  github.addToken(TOKEN, { type: 'classic', login: 'robot', scopes: ['repo'] })
  const database = await emptyDatabase.sqlite()
  const store = await openStore(database.address)
  onTestFinished(async () => {
    await store.close()
    await database.drop()
  })
  const client = createGitHub({ token: TOKEN, apiUrl: github.url, version: 'test' })
  const look = async (environments: readonly EnvironmentConfig[] = first): Promise<string[]> => {
    const said: string[] = []
    const { promise, resolve } = Promise.withResolvers<string[]>()
    const write = (event: string): void => {
      said.push(event)
      if (said.length === environments.length) resolve(said)
    }
    const repository: RepositoryConfig = {
      name: 'Acme/Shop',
      environments: new Map(environments.map((one) => [one.name, one])),
    }
    const sight = startFirstSight({
      store,
      github: () => client,
      repositories: () => [repository],
      looked: () => {},
      clock: () => 1_000,
      journal: { info: write, warn: write, error: write },
    })
    return promise.finally(sight.stop)
  }
  return { github, sha, store, look }
}

test('the head of the default branch is noted for every environment that deploys by itself', async () => {
  const { look, store } = await sightOf(environment(), environment({ name: 'staging', branch: 'main' }))

  expect(await look()).toEqual(['environment:first-seen', 'environment:first-seen'])
  expect(await store.seen()).toEqual(
    new Map([
      ['acme/shop/production', 'main'],
      ['acme/shop/staging', 'main'],
    ]),
  )
})

test('a branch that was changed is seen anew, one that was not is left alone', async () => {
  const { github, sha, look, store } = await sightOf(environment({ branch: 'main' }))
  github.setBranch('acme/shop', 'release/2', sha)
  await look()
  const before = github.requests.length

  expect(await look([environment({ branch: 'release/2' })])).toEqual(['environment:first-seen'])
  expect(github.requests.length).toBe(before + 2)
  expect(await store.seen()).toEqual(new Map([['acme/shop/production', 'release/2']]))
})

test('a branch that does not exist yet is seen without a commit', async () => {
  const { look, store } = await sightOf(environment({ branch: 'later' }))

  await look()

  expect((await store.seen()).get('acme/shop/production')).toBe('later')
})

test('a token that may not look leaves it open, and says so', async () => {
  const { github, look, store } = await sightOf(environment())
  github.addToken(TOKEN, { type: 'classic', login: 'robot', scopes: ['repo_deployment'] })

  expect(await look()).toEqual(['first-sight:unknown'])
  expect((await store.seen()).size).toBe(0)
})

test('a GitHub that is away is asked again later', async () => {
  const { github, look, store } = await sightOf(environment())
  github.fail({ with: 'reset' })

  expect(await look()).toEqual(['first-sight:postponed'])
  expect((await store.seen()).size).toBe(0)
})

test('a token that GitHub does not know is shown once, and not once for every repository', async () => {
  const { github, store } = await sightOf()
  const client = createGitHub({ token: 'unknown-token', apiUrl: github.url, version: 'test' })
  const said: string[] = []
  const write = (event: string): void => void said.push(event)
  const sight = startFirstSight({
    store,
    github: () => client,
    repositories: () =>
      ['acme/shop', 'acme/blog', 'acme/docs'].map((name) => ({
        name,
        environments: new Map([['production', environment({ repository: name })]]),
      })),
    looked: () => {},
    clock: () => 1_000,
    journal: { info: write, warn: write, error: write },
  })

  await eventually('it has asked', () => said.length === 1)
  sight.wake()
  await eventually('it has asked again', () => said.length === 2)
  sight.stop()

  expect(github.requests.map(({ path }) => path)).toEqual(['/repos/acme/shop', '/repos/acme/shop'])
})
