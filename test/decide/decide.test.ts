import { describe, expect, test } from 'vitest'

import type { EnvironmentConfig, RepositoryConfig } from '../../src/config/config.ts'
import { decide } from '../../src/decide/decide.ts'
import type { BranchSignal, DeploymentSignal } from '../../src/deployment/signal.ts'
import { environmentConfig, SHA } from '../support/samples.ts'

const environment = (given: Partial<EnvironmentConfig> = {}): EnvironmentConfig =>
  environmentConfig({ name: 'Production', ...given })
const facts = (given: Partial<EnvironmentConfig> = {}, knownAs: [number, string][] = []) => {
  const one = environment(given)
  const shop: RepositoryConfig = {
    name: one.repository,
    environments: new Map([[one.name.toLowerCase(), one]]),
  }
  return { repositories: new Map([['acme/shop', shop]]), knownAs: new Map(knownAs) }
}
const signal = (given: Partial<DeploymentSignal> = {}): DeploymentSignal => ({
  kind: 'deployment',
  repository: { githubId: 17, name: 'acme/shop', isPrivate: true },
  githubId: 5,
  sha: SHA,
  ref: 'main',
  task: 'deploy',
  environment: 'production',
  description: '',
  payload: '{}',
  nonce: undefined,
  actor: 'mona',
  creator: 'mona',
  creatorAvatar: '',
  apiUrl: '',
  createdAt: undefined,
  byActions: false,
  ...given,
})

test('a deployment for a configured environment deploys, whatever the case of its names', () => {
  expect(decide(signal({ environment: 'PRODUCTION' }), facts())).toMatchObject({
    verdict: 'deploy',
    environments: [{ name: 'Production' }],
  })
})

test('what GitHub tells of a repository that is not deployed via GitHub is ignored', () => {
  expect(decide(signal(), facts({ via: 'none', deployOn: 'none' }))).toMatchObject({
    verdict: 'skip',
    reason: 'not_via_github',
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

const merge = (given: Partial<BranchSignal> = {}): BranchSignal => ({
  kind: 'merge',
  repository: { githubId: 17, name: 'acme/shop', isPrivate: true, defaultBranch: 'main' },
  branch: 'main',
  sha: SHA,
  title: '#3 Faster',
  pullRequest: 3,
  actor: 'mona',
  actorAvatar: '',
  authors: [],
  ...given,
})

describe('a merge', () => {
  test("into the repository's default branch deploys", () => {
    expect(decide(merge(), facts())).toMatchObject({
      verdict: 'deploy',
      environments: [{ name: 'Production' }],
    })
  })

  test('into the configured branch deploys, and into the default branch then does not', () => {
    const release = facts({ branch: 'release/2' })

    expect(decide(merge({ branch: 'release/2' }), release).verdict).toBe('deploy')
    expect(decide(merge(), release)).toEqual({
      verdict: 'skip',
      reason: 'branch_not_configured',
      detail: 'The branch is not the one that is deployed. (main; Production deploys release/2)',
    })
  })

  test('names of branches differ in case, unlike those of repositories', () => {
    expect(decide(merge({ branch: 'Main' }), facts())).toMatchObject({ reason: 'branch_not_configured' })
  })

  test.each(['push', 'none'] as const)('says so where deploy_on is %s', (deployOn) => {
    expect(decide(merge(), facts({ deployOn }))).toMatchObject({
      verdict: 'skip',
      reason: 'deploys_otherwise',
    })
  })

  test('goes to every environment that deploys its branch', () => {
    const [staging, production, manual] = [
      environment({ name: 'staging' }),
      environment({ name: 'production' }),
      environment({ name: 'manual', deployOn: 'none' }),
    ]
    const environments = new Map([staging, production, manual].map((one) => [one.name, one]))
    const repositories = new Map([['acme/shop', { name: 'Acme/Shop', environments }]])

    expect(decide(merge(), { repositories, knownAs: new Map() })).toEqual({
      verdict: 'deploy',
      environments: [staging, production],
    })
  })

  test('into a repository that is not configured is ignored', () => {
    const repository = { githubId: 1, name: 'acme/other', isPrivate: false, defaultBranch: 'main' }

    expect(decide(merge({ repository }), facts())).toMatchObject({ reason: 'repository_not_configured' })
  })
})

test('a push deploys where deploy_on says so, and only there', () => {
  expect(decide(merge({ kind: 'push' }), facts({ deployOn: 'push' })).verdict).toBe('deploy')
  expect(decide(merge({ kind: 'push' }), facts())).toMatchObject({ reason: 'deploys_otherwise' })
})
