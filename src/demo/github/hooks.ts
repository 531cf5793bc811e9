import { refusal, validationFailed } from './answers.ts'
import type { Deliverer } from './delivery.ts'
import { readFields } from './fields.ts'
import { pingEvent } from './payloads.ts'
import { existing, paged, type AskedThere, type Outcome, type Route } from './routes.ts'
import { deliveryItemShape, deliveryShape, hookShape } from './hook-shapes.ts'
import type { GitHubState, Hook, HookDelivery, Repository } from './state.ts'

const READ = {
  permission: 'repository_hooks',
  level: 'read',
  scopes: ['repo', 'admin:repo_hook', 'write:repo_hook', 'read:repo_hook'],
} as const
const WRITE = { ...READ, level: 'write', scopes: READ.scopes.slice(0, 3) } as const
const HOOKS = '/repos/{owner}/{repo}/hooks'
const DELIVERIES = `${HOOKS}/{hook_id}/deliveries`
const CREATE_DOCS = 'repos/webhooks#create-a-repository-webhook'

export const hookRoutes = (deliverer: Deliverer): readonly Route[] => [
  { method: 'GET', template: HOOKS, right: READ, answer: list },
  { method: 'POST', template: HOOKS, right: WRITE, answer: (asked) => create(asked, deliverer) },
  { method: 'GET', template: DELIVERIES, right: READ, answer: listDeliveries },
  { method: 'GET', template: `${DELIVERIES}/{delivery_id}`, right: READ, answer: getDelivery },
  {
    method: 'POST',
    template: `${DELIVERIES}/{delivery_id}/attempts`,
    right: WRITE,
    answer(asked) {
      void deliverer.redeliver(hookOf(asked), deliveryOf(asked)) // never rejects
      return { status: 202, body: {} }
    },
  },
]

export interface NewHook {
  readonly url: string
  readonly secret?: string
  /** `*` is all of them; only `push` when left out. */
  readonly events?: readonly string[]
  /** `form` when left out, as at GitHub. */
  readonly contentType?: 'json' | 'form'
}

/** Adds a hook to a repository. Only addresses on loopback are called. */
export function addHook(state: GitHubState, repository: Repository, given: NewHook): Hook {
  const { protocol, hostname } = new URL(given.url)
  if (protocol !== 'http:' || !['127.0.0.1', 'localhost', '[::1]'].includes(hostname))
    throw new Error(`The double delivers to http addresses of this machine only, not to ${given.url}`)
  const hook: Hook = {
    id: state.nextId(),
    repository,
    url: given.url,
    secret: given.secret,
    events: given.events ?? ['push'],
    contentType: given.contentType ?? 'form',
    createdAt: state.clock(),
    deliveries: [],
  }
  repository.hooks.push(hook)
  return hook
}

const hookOf = ({ repository, param }: AskedThere): Hook =>
  existing(repository.hooks.find(({ id }) => String(id) === param('hook_id')))

const deliveryOf = (asked: AskedThere): HookDelivery =>
  existing(hookOf(asked).deliveries.find(({ id }) => String(id) === asked.param('delivery_id')))

const list = (asked: AskedThere): Outcome =>
  paged(asked, asked.repository.hooks, (page) => page.map((hook) => hookShape(asked.state, hook)))

function create({ state, repository, body }: AskedThere, deliverer: Deliverer): Outcome {
  const fields = readFields(body, CREATE_DOCS)
  const refuse = (field: string) =>
    validationFailed(CREATE_DOCS, { resource: 'Hook', code: 'missing_field', field })
  if (fields.text('name', 'web') !== 'web') throw refuse('name')
  const config = fields.raw('config')
  if (typeof config !== 'object' || config === null) throw refuse('config')
  const settings = readFields(JSON.stringify(config), CREATE_DOCS)
  const secret = settings.text('secret', undefined)
  const events = fields.texts('events', undefined)
  const hook = addHook(state, repository, {
    url: settings.text('url'),
    contentType: settings.text('content_type', 'form') === 'json' ? 'json' : 'form',
    ...(secret === undefined ? {} : { secret }),
    ...(events === undefined ? {} : { events }),
  })
  void deliverer.deliver(hook, 'ping', pingEvent(state, hook)) // never rejects
  const shape = hookShape(state, hook)
  return { status: 201, headers: { location: shape.url }, body: shape }
}

function listDeliveries(asked: AskedThere): Outcome {
  if (asked.query.has('page'))
    throw refusal(400, 'Use the cursor of the Link header to page through deliveries.')
  const hook = hookOf(asked)
  const perPage = Math.min(Number(asked.query.get('per_page') ?? 30), 100)
  const newestFirst = hook.deliveries.toReversed()
  const start = newestFirst.findIndex(({ id }) => String(id) === asked.query.get('cursor'))
  const page = newestFirst.slice(Math.max(0, start), Math.max(0, start) + perPage)
  const next = newestFirst[Math.max(0, start) + perPage]
  const link =
    next === undefined ? {} : { link: `<${asked.url}?per_page=${perPage}&cursor=${next.id}>; rel="next"` }
  return { status: 200, headers: link, body: page.map((delivery) => deliveryItemShape(hook, delivery)) }
}

function getDelivery(asked: AskedThere): Outcome {
  return { status: 200, body: deliveryShape(hookOf(asked), deliveryOf(asked)) }
}
