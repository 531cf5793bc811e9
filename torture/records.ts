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
  /** Every message for Slack, as it is to be sent. */
  readonly messages: readonly { readonly id: number; readonly body: string }[]
}

interface RecordedDelivery {
  readonly id: number
  readonly guid: string
  readonly event: string
  readonly verdict: string
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

const NONE: Records = { deliveries: [], deployments: [], owed: 0, messages: [] }

function readAll(file: string): Records {
  const database = new DatabaseSync(file, { readOnly: true, timeout: 5_000 })
  try {
    database.exec('begin') // all of it as of one moment
    return {
      deliveries: database.prepare(DELIVERIES).all() as unknown as RecordedDelivery[],
      deployments: database.prepare(DEPLOYMENTS).all() as unknown as RecordedDeployment[],
      owed: Number(database.prepare(OWED).get()?.['owed']),
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
