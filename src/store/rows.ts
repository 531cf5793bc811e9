import type { Insertable, Selectable } from 'kysely'

import type { Deployment, StepResult } from '../deployment/deployment.ts'
import type { Recipe } from '../deployment/recipe.ts'
import type { Tables } from './schema.ts'
import type { NewDeployment } from './store.ts'

type DeploymentRow = Selectable<Tables['deployments']>

/** A row as the rest of the program knows it. */
export const deploymentOf = (row: DeploymentRow): Deployment => ({
  id: row.id,
  repository: row.repository,
  configuredAs: row.configured_as,
  environment: row.environment,
  number: row.number,
  lane: row.lane,
  githubId: row.github_id,
  sha: row.sha,
  ref: row.ref,
  task: row.task,
  actor: row.actor,
  creator: row.creator,
  creatorAvatar: row.creator_avatar,
  description: row.description,
  payload: row.payload,
  apiUrl: row.api_url,
  isPrivate: row.is_private === 1,
  recipe: JSON.parse(row.recipe) as Recipe,
  publicLogs: row.public_logs === 1,
  environmentUrl: row.environment_url ?? undefined,
  state: row.state,
  reason: row.reason ?? undefined,
  detail: row.detail ?? undefined,
  deployedSha: row.deployed_sha ?? undefined,
  steps: JSON.parse(row.steps) as StepResult[],
  createdAt: row.created_at,
  startedAt: row.started_at ?? undefined,
  finishedAt: row.finished_at ?? undefined,
})

/** What a new deployment knows of itself, as columns. */
export const columnsOf = (given: NewDeployment) =>
  ({
    repository: given.repository,
    configured_as: given.configuredAs,
    environment: given.environment,
    lane: given.lane,
    github_id: given.githubId,
    sha: given.sha,
    ref: given.ref,
    task: given.task,
    actor: given.actor,
    creator: given.creator,
    creator_avatar: given.creatorAvatar,
    description: given.description,
    payload: given.payload,
    api_url: given.apiUrl,
    is_private: given.isPrivate ? 1 : 0,
    recipe: JSON.stringify(given.recipe),
    public_logs: given.publicLogs ? 1 : 0,
    environment_url: given.environmentUrl ?? null,
    steps: '[]',
  }) satisfies Partial<Insertable<Tables['deployments']>>
