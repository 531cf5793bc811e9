import type { FastifyInstance } from 'fastify'
import { z } from 'zod'

import type { RepositoryConfig } from '../../config/config.ts'
import { placeIn } from '../../config/places.ts'
import { nameOf, type Deployment } from '../../deployment/deployment.ts'
import { placesOf } from '../../deployment/gates.ts'
import { read } from './request.ts'

export interface QueueParts {
  /** What is configured, by `owner/name` in lower case. */
  readonly repositories: () => ReadonlyMap<string, RepositoryConfig>
  /** What runs and what waits, oldest first, and what waits besides. */
  line(): Promise<{ readonly line: readonly InLine[]; readonly left: readonly LeftOut[] }>
}

type Goal = Pick<Deployment, 'configuredAs' | 'environment'>

/** How many wait to go to one environment and are not listed. */
interface LeftOut extends Goal {
  readonly count: number
}

/** One that runs or waits, and for the latter where it stands. */
interface InLine {
  readonly deployment: Deployment
  readonly position: number | undefined
  readonly startsAt: number | undefined
}

const NAME = 'owner/name'
const Wanted = z.strictObject({
  repository: z.string({ error: NAME }).max(200, { error: NAME }).optional(),
  environment: z.string({ error: 'a name' }).max(255, { error: 'a name' }).optional(),
})

/** What runs and what waits: who asked for it, at which place in line it stands, and when it probably begins. */
export function serveQueue(routes: FastifyInstance, { repositories, line }: QueueParts): void {
  routes.get('/queue', async (request) => {
    const { repository, environment } = read(Wanted, request.query)
    const place = placeIn(repositories(), { repository, environment })
    const { line: all, left } = await line()
    const isMeant = (one: Goal): boolean => placesOf(one).includes(place)
    const more = left.filter(isMeant).reduce((sum, { count }) => sum + count, 0)
    return { queue: all.filter(({ deployment }) => isMeant(deployment)).map(shown), more }
  })
}

const shown = ({ deployment: one, position, startsAt }: InLine) => ({
  id: one.id,
  name: nameOf(one),
  sha: one.sha,
  ref: one.ref,
  by: one.actor,
  state: one.state,
  asked_at: new Date(one.createdAt).toISOString(),
  started_at: one.startedAt === undefined ? null : new Date(one.startedAt).toISOString(),
  position: position ?? null,
  starts_at: startsAt === undefined ? null : new Date(startsAt).toISOString(),
  hold: one.hold === undefined ? null : { reason: one.hold.reason, detail: one.hold.detail },
})
