import { repositoryUrl, timeText } from './shapes.ts'
import type { GitHubState, Hook, HookDelivery } from './state.ts'

/** A hook as its owner sees it; the secret stays hidden. */
export function hookShape(state: GitHubState, hook: Hook) {
  const url = `${repositoryUrl(state, hook.repository)}/hooks/${hook.id}`
  const last = hook.deliveries.at(-1)
  return {
    type: 'Repository',
    id: hook.id,
    name: 'web',
    active: true,
    events: hook.events,
    config: {
      url: hook.url,
      content_type: hook.contentType,
      insecure_ssl: '0',
      ...(hook.secret === undefined ? {} : { secret: '********' }),
    },
    updated_at: timeText(hook.createdAt),
    created_at: timeText(hook.createdAt),
    url,
    test_url: `${url}/test`,
    ping_url: `${url}/pings`,
    deliveries_url: `${url}/deliveries`,
    last_response:
      last === undefined
        ? { code: null, status: 'unused', message: null }
        : {
            code: last.answer.status,
            status: hasArrived(last) ? 'active' : 'failed',
            message: statusOf(last),
          },
  }
}

/** A delivery in a list. */
export const deliveryItemShape = (hook: Hook, delivery: HookDelivery) => ({
  id: delivery.id,
  guid: delivery.guid,
  delivered_at: timeText(delivery.at),
  redelivery: delivery.isRedelivery,
  duration: delivery.seconds,
  status: statusOf(delivery),
  status_code: delivery.answer.status,
  event: delivery.event,
  action: delivery.action,
  installation_id: null,
  repository_id: hook.repository.id,
  throttled_at: null,
})

/** A delivery with what was sent and what came back. */
export const deliveryShape = (hook: Hook, delivery: HookDelivery) => ({
  ...deliveryItemShape(hook, delivery),
  url: hook.url,
  request: { headers: delivery.request.headers, payload: delivery.request.payload },
  response: { headers: delivery.answer.headers, payload: delivery.answer.body },
})

const hasArrived = ({ answer }: HookDelivery): boolean => answer.status >= 200 && answer.status < 300

function statusOf(delivery: HookDelivery): string {
  if (hasArrived(delivery)) return 'OK'
  return delivery.answer.status === 0
    ? 'failed to connect to host'
    : `Invalid HTTP Response: ${delivery.answer.status}`
}
