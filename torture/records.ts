import { existsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'

/** What Ferryman wrote down, read from its database by nobody's code but ours. */
export interface Records {
  /** Why they cannot be read, if so; then there are none. */
  readonly unreadable?: string
  readonly deliveries: readonly RecordedDelivery[]
  readonly deployments: readonly RecordedDeployment[]
  /** Reports that are still owed to somebody. */
  readonly owed: number
  /** Reports that were refused for good. */
  readonly refused: readonly RefusedReport[]
  /** GitHub's ids of the hooks of which Ferryman has heard. */
  readonly hooks: readonly number[]
  /** GUIDs of deliveries that Ferryman has asked GitHub to send again. */
  readonly asked: readonly string[]
  /** Every message for Slack, as it is to be sent. */
  readonly messages: readonly { readonly id: number; readonly body: string }[]
}

interface RecordedDelivery {
  readonly id: number
  readonly guid: string
  readonly event: string
  readonly verdict: string
}

interface RefusedReport {
  readonly id: number
  readonly channel: string
  /** GitHub's id of the deployment. */
  readonly githubId: number | null
  /** Whether nothing newer is to be told there about the same deployment. */
  readonly isNewest: boolean
}

export interface RecordedDeployment {
  readonly id: number
  readonly githubId: number | null
  readonly deliveryId: number | null
  readonly name: string
  readonly lane: string
  readonly state: string
  readonly reason: string | null
  /** Rows of `processes`. */
  readonly processes: number
}

const DELIVERIES = 'select id, guid, event, verdict from deliveries order by id'
const DEPLOYMENTS = `select id, github_id as "githubId", delivery_id as "deliveryId", lane, state, reason,
  repository || '/' || environment || '#' || number as name,
  (select count(*) from processes where deployment_id = deployments.id) as processes from deployments order by id`
const MESSAGES = `select id, body from reports where channel = 'slack'`
const REFUSED = `select report.id, channel, github_id as "githubId", not exists (
    select 1 from reports newer where newer.id > report.id and newer.channel = report.channel
      and newer.deployment_id = report.deployment_id) as "isNewest"
  from reports report join deployments on deployments.id = report.deployment_id
  where report.state = 'refused' order by report.id`
const OWED = `select count(*) as owed from reports where state = 'owed'`

/** Reads the database of a server that runs, or that ended by itself. */
export function readRecords(file: string): Records {
  if (!existsSync(file)) return NONE
  try {
    return readAll(file)
  } catch (thrown) {
    return { ...NONE, unreadable: thrown instanceof Error ? thrown.message : String(thrown) }
  }
}

const NONE: Records = {
  deliveries: [],
  deployments: [],
  owed: 0,
  refused: [],
  hooks: [],
  asked: [],
  messages: [],
}

function readAll(file: string): Records {
  const database = new DatabaseSync(file, { readOnly: true, timeout: 5_000 })
  try {
    database.exec('begin') // all of it as of one moment
    return {
      deliveries: database.prepare(DELIVERIES).all() as unknown as RecordedDelivery[],
      deployments: database.prepare(DEPLOYMENTS).all() as unknown as RecordedDeployment[],
      owed: Number(database.prepare(OWED).get()?.['owed']),
      refused: (database.prepare(REFUSED).all() as unknown as Records['refused']).map((one) => ({
        ...one,
        isNewest: Number(one.isNewest) === 1,
      })),
      hooks: database
        .prepare('select id from hooks')
        .all()
        .map(({ id }) => Number(id)),
      asked: database
        .prepare('select guid from redeliveries')
        .all()
        .map(({ guid }) => String(guid)),
      messages: (database.prepare(MESSAGES).all() as unknown as Records['messages']).map(({ id, body }) => ({
        id,
        body: messageIn(body),
      })),
    }
  } finally {
    database.close()
  }
}

/** What makes a message the same one, sent or to be sent. */
export function messageIn(json: string): string {
  const { text, blocks } = JSON.parse(json) as { text?: unknown; blocks?: unknown }
  return JSON.stringify({ text, blocks })
}
