import type { FastifyInstance } from 'fastify'
import { z } from 'zod'

import type { EnvironmentConfig, RepositoryConfig } from '../../config/config.ts'
import { environmentIn } from '../../config/places.ts'
import { read } from './request.ts'

export interface WhyParts {
  /** What is configured, by `owner/name` in lower case. */
  readonly repositories: () => ReadonlyMap<string, RepositoryConfig>
  /** Why an environment stands as it does. */
  why(environment: EnvironmentConfig): Promise<object>
}

const Wanted = z.strictObject({
  repository: z.string({ error: 'owner/name' }).max(200, { error: 'owner/name' }),
  environment: z.string({ error: 'a name' }).max(255, { error: 'a name' }).optional(),
})

/** Why is it not deploying? */
export function serveWhy(routes: FastifyInstance, { repositories, why }: WhyParts): void {
  routes.get('/why', async (request) => {
    const { repository, environment } = read(Wanted, request.query)
    const found = environmentIn(repositories(), repository, environment)
    return { repository: found.repository, environment: found.name, ...(await why(found)) }
  })
}
