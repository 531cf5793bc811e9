import { createHash, randomUUID } from 'node:crypto'

import type { EnvironmentConfig, SlackNotices } from '../../src/config/config.ts'
import { DEFAULTS } from '../../src/config/defaults.ts'
import type { Deployment } from '../../src/deployment/deployment.ts'
import {
  NO_HOOKS,
  USUAL_OPTIONS,
  type CommandsRecipe,
  type PlaybookRecipe,
} from '../../src/deployment/recipe.ts'
import type { Intake, NewDelivery, NewDeployment } from '../../src/store/store.ts'

export const SHA = 'a84d88e7554fc1fa21bcbc4efae3c782a70d2b9d'

export const recipe = (given: Partial<CommandsRecipe> = {}): CommandsRecipe => ({
  kind: 'commands',
  folder: '/srv/shop',
  commands: [['true']],
  env: {},
  timeoutSeconds: 3600,
  silenceSeconds: 600,
  leaveProcesses: false,
  maxLogBytes: 52_428_800,
  hooks: NO_HOOKS,
  ...given,
})

export const playbookRecipe = (given: Partial<PlaybookRecipe> = {}): PlaybookRecipe => ({
  kind: 'ansible',
  folder: '/srv/shop',
  inventory: '/srv/shop/hosts.ini',
  playbook: '/srv/shop/site.yml',
  options: USUAL_OPTIONS,
  env: {},
  timeoutSeconds: 3600,
  silenceSeconds: 600,
  leaveProcesses: false,
  maxLogBytes: 52_428_800,
  hooks: NO_HOOKS,
  ...given,
})

/** What is told where nothing else is said. */
export const slackNotices = (given: Partial<SlackNotices> = {}): SlackNotices => ({
  webhookUrl: 'https://hooks.example.org/shop',
  events: DEFAULTS.slack_events,
  everyFailure: DEFAULTS.every_failure,
  ...given,
})

export const environmentConfig = (given: Partial<EnvironmentConfig> = {}): EnvironmentConfig => ({
  repository: 'Acme/Shop',
  name: 'production',
  lane: 'acme/shop/production',
  requiredContexts: undefined,
  checksWaitSeconds: 3600,
  order: 'queue',
  enforceRequiredContexts: false,
  evenWhenForced: [],
  force: true,
  deployOn: 'merge',
  via: 'github',
  poll: undefined,
  branch: undefined,
  defaultRef: undefined,
  windows: undefined,
  after: undefined,
  approval: undefined,
  acceptActionsDeployments: false,
  publicLogs: false,
  environmentUrl: undefined,
  commitStatus: false,
  logTo: undefined,
  slack: undefined,
  recipe: recipe(),
  tasks: new Map(),
  anyTask: undefined,
  ...given,
})

/** One that waits for its turn, and is on GitHub. */
export const deployment = (given: Partial<Deployment> = {}): Deployment => ({
  id: 1,
  repository: 'acme/shop',
  configuredAs: 'acme/shop',
  environment: 'production',
  number: 12,
  lane: 'acme/shop/production',
  origin: 'deployment',
  branch: undefined,
  nonce: undefined,
  wasAsked: false,
  hold: undefined,
  blocked: undefined,
  forced: undefined,
  checkedAt: undefined,
  approvedBy: undefined,
  githubId: 5,
  sha: SHA,
  ref: 'main',
  task: 'deploy',
  actor: 'mona',
  authors: [],
  creator: 'mona',
  creatorAvatar: '',
  description: '',
  payload: '{}',
  apiUrl: '',
  isPrivate: true,
  recipe: recipe(),
  publicLogs: false,
  environmentUrl: undefined,
  state: 'queued',
  reason: undefined,
  detail: undefined,
  deployedSha: undefined,
  changes: undefined,
  logUrl: undefined,
  markedBad: undefined,
  steps: [],
  createdAt: 0,
  startedAt: undefined,
  finishedAt: undefined,
  ...given,
})

export function newDelivery(given: Partial<NewDelivery> = {}): NewDelivery {
  const guid = given.guid ?? randomUUID()
  const body = given.body ?? Buffer.from('{}')
  return {
    key: `${guid}:${createHash('sha256').update(body).digest('hex')}`,
    guid,
    event: 'deployment',
    action: 'created',
    receivedAt: 1_000,
    headers: {},
    body,
    ...given,
  }
}

let nextGithubId = 1_000

export const newDeployment = (given: Partial<NewDeployment> = {}): NewDeployment => ({
  repository: 'acme/shop',
  repositoryGithubId: 17,
  configuredAs: 'acme/shop',
  environment: 'production',
  lane: 'acme/shop/production',
  origin: 'deployment',
  branch: undefined,
  nonce: undefined,
  githubId: (nextGithubId += 1),
  hold: undefined,
  forced: undefined,
  sha: SHA,
  ref: 'main',
  task: 'deploy',
  actor: 'mona',
  authors: [],
  creator: 'mona',
  creatorAvatar: '',
  description: '',
  payload: '',
  apiUrl: 'https://api.github.com/repos/acme/shop/deployments/1',
  isPrivate: true,
  recipe: recipe(),
  publicLogs: false,
  environmentUrl: undefined,
  failure: undefined,
  reports: ({ state }) => [{ channel: 'github', body: { state } }],
  ...given,
})

export const queuedIntake = (...deployments: readonly NewDeployment[]): Intake => ({
  delivery: newDelivery(),
  verdict: 'queued',
  reason: undefined,
  detail: undefined,
  deployments,
})

/** A merge as it is recorded: held, and not on GitHub yet. */
export const newMerge = (given: Partial<NewDeployment> = {}): NewDeployment =>
  newDeployment({
    origin: 'merge',
    branch: 'main',
    nonce: randomUUID().replaceAll('-', ''),
    githubId: undefined,
    hold: { reason: 'deciding', detail: 'It has just come.', since: 1_000, until: undefined },
    apiUrl: '',
    ...given,
  })
