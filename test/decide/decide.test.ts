import { expect, test } from 'vitest'

import type { EnvironmentConfig, RepositoryConfig } from '../../src/config/config.ts'
import { decide } from '../../src/decide/decide.ts'
import type { Signal } from '../../src/deployment/signal.ts'
import { recipe, SHA } from '../support/samples.ts'

const environment = (given: Partial<EnvironmentConfig> = {}): EnvironmentConfig => ({
  repository: 'Acme/Shop',
  name: 'Production',
  lane: 'acme/shop/production',
  requiredContexts: undefined,
  acceptActionsDeployments: false,
  publicLogs: false,
  environmentUrl: undefined,
  recipe: recipe(),
  ...given,
})
const facts = (given: Partial<EnvironmentConfig> = {}, knownAs: [number, string][] = []) => {
  const one = environment(given)
  const shop: RepositoryConfig = {
    name: one.repository,
    environments: new Map([[one.name.toLowerCase(), one]]),
  }
  return { repositories: new Map([['acme/shop', shop]]), knownAs: new Map(knownAs) }
}
const signal = (given: Partial<Signal> = {}): Signal => ({
  kind: 'deployment',
  repository: { githubId: 17, name: 'acme/shop', isPrivate: true },
  githubId: 5,
  sha: SHA,
  ref: 'main',
  task: 'deploy',
  environment: 'production',
  description: '',
  payload: '{}',
  actor: 'mona',
  creator: 'mona',
  creatorAvatar: '',
  apiUrl: '',
  byActions: false,
  ...given,
})

test('a deployment for a configured environment deploys, whatever the case of its names', () => {
  expect(decide(signal({ environment: 'PRODUCTION' }), facts())).toMatchObject({
    verdict: 'deploy',
    environment: { name: 'Production' },
  })
})

test('a repository that is not configured is ignored', () => {
  const other = { githubId: 1, name: 'acme/other', isPrivate: false }

  expect(decide(signal({ repository: other }), facts())).toEqual({
    verdict: 'skip',
    reason: 'repository_not_configured',
    detail: 'The repository is not in the configuration. (acme/other)',
  })
})

test('a renamed repository is followed by its numeric id', () => {
  const renamed = { githubId: 17, name: 'acme/store', isPrivate: true }

  expect(decide(signal({ repository: renamed }), facts({}, [[17, 'acme/shop']])).verdict).toBe('deploy')
})

test("another tool's environment is ignored", () => {
  expect(decide(signal({ environment: 'github-pages' }), facts())).toMatchObject({
    verdict: 'skip',
    reason: 'environment_not_configured',
  })
})

test("an Actions job's own deployment is ignored, unless it is accepted", () => {
  expect(decide(signal({ byActions: true }), facts())).toMatchObject({
    verdict: 'skip',
    reason: 'made_by_actions',
  })
  expect(decide(signal({ byActions: true }), facts({ acceptActionsDeployments: true })).verdict).toBe(
    'deploy',
  )
})

test('an unknown task is refused aloud, and never a path', () => {
  expect(decide(signal({ task: '../../bin/sh' }), facts())).toMatchObject({
    verdict: 'refuse',
    reason: 'task_unknown',
    detail: 'Unknown task: ../../bin/sh',
  })
})
