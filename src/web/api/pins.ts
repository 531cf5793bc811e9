import type { FastifyInstance } from 'fastify'
import { z } from 'zod'

import type { RepositoryConfig } from '../../config/config.ts'
import { environmentIn } from '../../config/places.ts'
import { pinSentence, type Pin } from '../../deployment/gates.ts'
import { problem } from '../../errors.ts'
import type { Journal } from '../../logs/journal.ts'
import type { Pins } from '../../store/store.ts'
import { personOf, read } from './request.ts'

export interface PinsParts {
  readonly pins: Pins
  /** What is configured, by `owner/name` in lower case. */
  readonly repositories: () => ReadonlyMap<string, RepositoryConfig>
  readonly journal: Journal
  /** What waits there for the end of a pin may go now. */
  lockFreed(place: string): void
}

const Place = z.strictObject({
  repository: z.string({ error: 'owner/name' }).max(200, { error: 'owner/name' }),
  environment: z.string({ error: 'a name' }).max(255, { error: 'a name' }).optional(),
})

/** Pins: where somebody went back, and the way to end that. They are made by asking for a deployment. */
export function servePins(routes: FastifyInstance, parts: PinsParts): void {
  const { pins, repositories, journal, lockFreed } = parts

  routes.get('/pins', async () => ({ pins: (await pins.all()).map(shown) }))

  routes.post('/pins/free', async (request) => {
    const by = personOf(request)
    const { repository, environment } = read(Place, request.body)
    const found = environmentIn(repositories(), repository, environment)
    const place = `${found.repository}/${found.name}`.toLowerCase()
    const pin = await pins.free(place).catch((cause: unknown) => {
      throw problem('not_recorded', {}, cause)
    })
    if (pin === undefined) throw problem('not_pinned', { place })
    journal.info('pin:freed', { place, by, sha: pin.sha })
    lockFreed(place)
    return { pin: shown(pin), freed_by: by }
  })
}

const shown = (pin: Pin) => ({
  place: pin.place,
  sha: pin.sha,
  reason: pin.reason,
  by: pin.by,
  at: new Date(pin.at).toISOString(),
  says: pinSentence(pin),
})
