import { notFound, refusal, validationFailed } from './answers.ts'
import { appBehind } from './apps.ts'
import type { Deliverer } from './delivery.ts'
import { readFields } from './fields.ts'
import { pingEvent } from './payloads.ts'
import { existing, paged, type Asked, type AskedThere, type Outcome, type Route } from './routes.ts'
import { deliveryItemShape, deliveryShape, hookShape } from './hook-shapes.ts'
import type { App, GitHubState, Hook, HookDelivery, Repository } from './state.ts'

const READ = {
  permission: 'repository_hooks',
  level: 'read',
  scopes: ['repo', 'admin:repo_hook', 'write:repo_hook', 'read:repo_hook'],
} as const
const WRITE = { ...READ, level: 'write', scopes: READ.scopes.slice(0, 3) } as const
const HOOKS = '/repos/{owner}/{repo}/hooks'
const DELIVERIES = `${HOOKS}/{hook_id}/deliveries`
const DELIVERIES_OF_ORGANIZATION = '/orgs/{org}/hooks/{hook_id}/deliveries'
const DELIVERIES_OF_APP = '/app/hook/deliveries'
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
  {
    method: 'GET',
    template: DELIVERIES_OF_ORGANIZATION,
    answer: (asked) => listDeliveriesOf(organizationHook(asked), asked),
  },
  {
    method: 'POST',
    template: `${DELIVERIES_OF_ORGANIZATION}/{delivery_id}/attempts`,
    answer(asked) {
      const hook = organizationHook(asked)
      void deliverer.redeliver(hook, deliveryIn(hook, asked)) // never rejects
      return { status: 202, body: {} }
    },
  },
  {
    method: 'GET',
    template: DELIVERIES_OF_APP,
    answer: (asked) => listDeliveriesOf(hookOfApp(asked), asked),
  },
  {
    method: 'POST',
    template: `${DELIVERIES_OF_APP}/{delivery_id}/attempts`,
    answer(asked) {
      const hook = hookOfApp(asked)
      void deliverer.redeliver(hook, deliveryIn(hook, asked)) // never rejects
      return { status: 202, body: {} }
    },
  },
]

export interface NewHook {
  /** Whose hook it is; that of an App hears of every repository where it is installed, here of one. */
  readonly app?: App
  readonly url: string
  readonly secret?: string
  /** `*` is all of them; only `push` when left out. */
  readonly events?: readonly string[]
  /** `repository` when left out. */
  readonly kind?: 'repository' | 'organization'
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
    kind: given.app === undefined ? (given.kind ?? 'repository') : 'app',
    targetId: given.app?.id ?? repository.id,
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
  existing(hooksOf(repository).find(({ id }) => String(id) === param('hook_id')))

const hooksOf = ({ hooks }: Repository): readonly Hook[] => hooks.filter(({ kind }) => kind === 'repository')

/** Only owners of an organization may see its hooks; here that is whoever has the scope or the permission. */
function organizationHook({ state, caller: { token }, param }: Asked): Hook {
  const isAllowed =
    token?.type === 'classic'
      ? token.scopes.includes('admin:org_hook')
      : token?.permissions['organization_hooks'] === 'write'
  if (!isAllowed) throw notFound()
  const all = [...state.repositories.values()]
    .filter(({ owner }) => owner.toLowerCase() === param('org').toLowerCase())
    .flatMap(({ hooks }) => hooks)
  return existing(all.find(({ id, kind }) => kind === 'organization' && String(id) === param('hook_id')))
}

function hookOfApp(asked: Asked): Hook {
  const { id } = appBehind(asked)
  const all = [...asked.state.repositories.values()].flatMap(({ hooks }) => hooks)
  return existing(all.find(({ kind, targetId }) => kind === 'app' && targetId === id))
}

const deliveryOf = (asked: AskedThere): HookDelivery => deliveryIn(hookOf(asked), asked)

const deliveryIn = (hook: Hook, { param }: Asked): HookDelivery =>
  existing(hook.deliveries.find(({ id }) => String(id) === param('delivery_id')))

const list = (asked: AskedThere): Outcome =>
  paged(asked, hooksOf(asked.repository), (page) => page.map((hook) => hookShape(asked.state, hook)))

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

const listDeliveries = (asked: AskedThere): Outcome => listDeliveriesOf(hookOf(asked), asked)

function listDeliveriesOf(hook: Hook, asked: Asked): Outcome {
  if (asked.query.has('page'))
    throw refusal(400, 'Use the cursor of the Link header to page through deliveries.')
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
