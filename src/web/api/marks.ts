import type { FastifyInstance } from 'fastify'
import { z } from 'zod'

import { nameOf, type Deployment } from '../../deployment/deployment.ts'
import { problem } from '../../errors.ts'
import type { Journal } from '../../logs/journal.ts'
import { cut, oneLine } from '../../logs/one-line.ts'
import type { Store } from '../../store/store.ts'
import { shown } from './deployments.ts'
import { id, personOf, reasonText, read } from './request.ts'

export interface MarksParts {
  readonly store: Pick<Store, 'deployment' | 'markBad'>
  mask(text: string): string
  readonly clock: () => number
  readonly journal: Journal
  /** What waits for its commit to be proved there may go now. */
  marked(deployment: Deployment): void
}

const Which = z.object({ id })
const Wish = z.strictObject({
  reason: reasonText.optional(),
  undo: z.boolean({ error: 'true or false' }).optional(),
})
const MOST_NAME = 100
const MOST_REASON = 200

/** Marks of what nobody should go back to: made, and taken back. */
export function serveMarks(routes: FastifyInstance, parts: MarksParts): void {
  const { store, mask, clock, journal } = parts
  const said = (text: string, most: number): string => cut(oneLine(mask(text.trim())), most)

  routes.post('/deployments/:id/mark-bad', async (request) => {
    const by = said(personOf(request), MOST_NAME)
    const { id } = read(Which, request.params)
    const { reason: why = '', undo = false } = read(Wish, request.body)
    const reason = why.trim() === '' ? undefined : said(why, MOST_REASON)
    const mark = undo ? undefined : { at: clock(), by, reason }
    const marked = await store.markBad(id, mark).catch((cause: unknown) => {
      throw problem('not_recorded', {}, cause)
    })
    if (marked === undefined) throw await whyNot(id)
    const about = { deployment: nameOf(marked), id, by, reason }
    journal.info(undo ? 'deployment:mark-removed' : 'deployment:marked-bad', about)
    parts.marked(marked)
    return { outcome: undo ? 'unmarked' : 'marked', deployment: shown(marked) }
  })

  async function whyNot(id: number) {
    const found = await store.deployment(id)
    if (found === undefined) return problem('deployment_unknown', { id: String(id) })
    return problem('deployment_not_ended', { name: nameOf(found), state: found.state })
  }
}
