import type { FastifyInstance } from 'fastify'
import { z } from 'zod'

import type { RepositoryConfig } from '../../config/config.ts'
import { placeIn } from '../../config/places.ts'
import { lockSentence, placeName, type Lock } from '../../deployment/gates.ts'
import { problem } from '../../errors.ts'
import type { Journal } from '../../logs/journal.ts'
import { cut, oneLine } from '../../logs/one-line.ts'
import type { Locks } from '../../store/store.ts'
import { personOf, read } from './request.ts'

export interface LocksParts {
  readonly locks: Locks
  /** What is configured, by `owner/name` in lower case. */
  readonly repositories: () => ReadonlyMap<string, RepositoryConfig>
  mask(text: string): string
  readonly clock: () => number
  readonly journal: Journal
  /** Nothing holds what waits there any more, as far as this lock is concerned. */
  lockFreed(place: string): void
}

const REASON = 'why, in at most 500 characters'
const FOR = 'a number of seconds, at most a year'
const A_YEAR = 366 * 86_400
const Place = z.strictObject({
  repository: z.string({ error: 'owner/name' }).max(200, { error: 'owner/name' }).optional(),
  environment: z.string({ error: 'a name' }).max(255, { error: 'a name' }).optional(),
  everything: z.literal(true, { error: 'true, or nothing' }).optional(),
})
/** Nothing named is no way to say everything. */
const isNamed = ({ repository, environment, everything }: z.output<typeof Place>): boolean =>
  everything === true ? repository === undefined && environment === undefined : repository !== undefined
const NAMED = { error: 'either a repository, or "everything": true', path: ['repository'] }

const Wish = Place.extend({
  reason: z.string({ error: REASON }).trim().min(1, { error: REASON }).max(500, { error: REASON }),
  for_seconds: z
    .number({ error: FOR })
    .int({ error: FOR })
    .min(1, { error: FOR })
    .max(A_YEAR, { error: FOR })
    .optional(),
}).refine(isNamed, NAMED)
const LOCK = 'the number of a lock'
const Which = Place.extend({
  lock: z.number({ error: LOCK }).int({ error: LOCK }).min(1, { error: LOCK }).optional(),
}).refine(
  ({ lock, ...place }) => isNamed(place) || (lock !== undefined && Object.keys(place).length === 0),
  NAMED,
)

/** Locks: who lets nothing begin where, and the way to take and to free one. */
export function serveLocks(routes: FastifyInstance, parts: LocksParts): void {
  const { locks, clock, journal, mask } = parts
  const said = (text: string, most: number): string => cut(oneLine(mask(text.trim())), most)

  routes.get('/locks', async () => ({ locks: (await locks.all(clock())).map(shown) }))

  routes.post('/locks', async (request, reply) => {
    const by = said(personOf(request), 100)
    const { reason, for_seconds: seconds, repository, environment } = read(Wish, request.body)
    const since = clock()
    const until = seconds === undefined ? undefined : since + seconds * 1000
    const place = placeIn(parts.repositories(), { repository, environment })
    const { isTaken, lock } = await recorded(
      locks.take({ place, reason: said(reason, 500), by, since, until }),
    )
    if (!isTaken) throw problem('locked_already', { lock: lockSentence(lock), id: String(lock.id) })
    journal.info('lock:taken', { lock: lock.id, place, by, reason: lock.reason })
    void reply.status(201)
    return { lock: shown(lock) }
  })

  routes.post('/locks/free', async (request) => {
    const by = said(personOf(request), 100)
    const meant = await find(read(Which, request.body))
    const lock = await recorded(locks.free(meant.id))
    if (lock === undefined) throw problem('lock_unknown', { id: String(meant.id) })
    journal.info('lock:freed', { lock: lock.id, place: lock.place, by })
    parts.lockFreed(lock.place)
    return { lock: shown(lock), freed_by: by }
  })

  /** The lock that is meant, by its number, by where it is, or by both: then it must still be that one. */
  async function find(which: z.output<typeof Which>): Promise<Lock> {
    const { lock: number, repository, environment, everything } = which
    const all = await locks.all(clock())
    if (number !== undefined && repository === undefined && everything === undefined) {
      const found = all.find((one) => one.id === number)
      if (found === undefined) throw problem('lock_unknown', { id: String(number) })
      return found
    }
    const place = placeIn(parts.repositories(), { repository, environment })
    const there = all.find((one) => one.place === place)
    if (there === undefined) throw problem('not_locked', { place: placeName(place) })
    if (number !== undefined && there.id !== number)
      throw problem('lock_is_another', { id: String(number), lock: lockSentence(there) })
    return there
  }
}

const recorded = <T>(work: Promise<T>): Promise<T> =>
  work.catch((cause: unknown) => {
    throw problem('not_recorded', {}, cause)
  })

const shown = (lock: Lock) => ({
  id: lock.id,
  place: lock.place,
  reason: lock.reason,
  by: lock.by,
  since: new Date(lock.since).toISOString(),
  until: lock.until === undefined ? null : new Date(lock.until).toISOString(),
  says: lockSentence(lock),
})
