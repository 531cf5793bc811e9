import type { Generated } from 'kysely'

import type { Origin } from '../deployment/deployment.ts'
import type { EndReason, HoldReason } from '../deployment/reasons.ts'
import type { State } from '../deployment/state.ts'

/** The tables, as both engines hold them: times in milliseconds, truth values as 0 and 1, JSON as text. */
export interface Tables {
  repositories: {
    id: Generated<number>
    /** As GitHub spells it now. */
    name: string
    /** 0 where GitHub has not told yet. */
    github_id: number
    /** The key under which the configuration knew it last: GitHub may have renamed it since. */
    configured_as: string
  }
  lanes: { id: Generated<number>; name: string }
  environments: {
    id: Generated<number>
    repository_id: number
    name: string
    /** The name in lower case: GitHub compares names without regard to case. */
    name_key: string
    next_number: Generated<number>
    /** The branch that deploys by itself, as it was when its head was looked up first. */
    branch: string | null
    /** That head: what lies before it was there before us. Null where GitHub did not tell. */
    first_seen_sha: string | null
    first_seen_at: number | null
    /** How many deployments ran and failed there in a row, up to the last end; and when the first of them ended. */
    failures: Generated<number>
    failing_since: number | null
    /** The branch that was looked at last, and where it stood then. Null where that is not known. */
    head_branch: string | null
    head_sha: string | null
  }
  /** The raw bodies of deliveries that came together, one after the other, compressed with zstd. */
  bodies: { id: Generated<number>; content: Uint8Array }
  deliveries: {
    id: Generated<number>
    /** GUID and SHA-256 of the body: the GUID alone is not covered by the signature. */
    key: string
    guid: string
    event: string
    action: string | null
    received_at: number
    headers: string
    /** Where the raw body lies in the row of `bodies`. Not declared a foreign key: that would be looked up each time. */
    body_id: number
    body_offset: number
    body_length: number
    verdict: string
    reason: string | null
    detail: string | null
    /** Ids of deployments that it did not create and that it was about, as a JSON list. */
    concerns: string | null
    /** The repository that it is about, as it was configured, in lower case. */
    repository: string | null
    replayed_at: number | null
    replayed_by: string | null
  }
  deployments: {
    id: Generated<number>
    environment_id: number
    lane_id: number
    delivery_id: number | null
    number: number
    repository: string
    configured_as: string
    environment: string
    lane: string
    origin: Origin
    branch: string | null
    nonce: string | null
    was_asked: Generated<number>
    github_id: number | null
    sha: string
    ref: string
    task: string
    actor: string
    /** Logins as a JSON list; null: none are known. */
    authors: string | null
    /** 1: GitHub was asked whose change the commit is. */
    authors_asked: Generated<number>
    creator: string
    creator_avatar: string
    description: string
    payload: string
    api_url: string
    is_private: number
    recipe: string
    public_logs: number
    environment_url: string | null
    state: State
    hold_reason: HoldReason | null
    hold_detail: string | null
    hold_since: number | null
    hold_until: number | null
    forced_by: string | null
    forced_why: string | null
    /** When its checks were seen to pass. */
    checked_at: number | null
    approved_by: string | null
    blocked_since: number | null
    blocked_until: number | null
    blocked_detail: string | null
    blocked_tries: Generated<number>
    blocked_told: Generated<number>
    blocked_log_bytes: Generated<number>
    reason: EndReason | null
    detail: string | null
    deployed_sha: string | null
    steps: string
    created_at: number
    started_at: number | null
    finished_at: number | null
    changes: string | null
    log_url: string | null
    conclusion: string | null
    marked_bad_at: number | null
    marked_bad_by: string | null
    marked_bad_reason: string | null
    /** Greater than of everything that ended before. */
    end_order: number | null
  }
  events: {
    id: Generated<number>
    deployment_id: number
    at: number
    from_state: State | null
    /** The same as the one before where only the reason to wait has changed. */
    to_state: State
    reason: string | null
    detail: string | null
  }
  /** Where nothing may begin: at most one lock for each place. */
  locks: {
    id: Generated<number>
    place: string
    reason: string
    taken_by: string
    since: number
    until: number | null
    /** When somebody was reminded of it last. */
    reminded_at: number | null
  }
  /** Where somebody went back. */
  pins: {
    place: string
    sha: string
    reason: string | null
    pinned_by: string
    at: number
    /** What was asked for to go back. */
    deployment_id: number
  }
  /** Who has agreed to what being done where with which commit. */
  approvals: {
    id: Generated<number>
    environment_id: number
    sha: string
    task: string
    given_by: string
    at: number
    until: number
  }
  processes: {
    id: Generated<number>
    deployment_id: number
    run_id: string
    group_id: number
    boot_id: string
    start_ticks: string
  }
  reports: {
    id: Generated<number>
    deployment_id: number
    channel: string
    body: string
    state: 'owed' | 'delivered' | 'dropped' | 'refused'
    attempts: Generated<number>
    due_at: number
    created_at: number
    settled_at: number | null
    last_error: string | null
    /** Since when the other side has refused it for want of a right, and nothing else since. */
    barred_since: number | null
  }
  /** GitHub's ids of deployments that are no longer kept: a replay must not start them again. */
  forgotten: { github_id: number }
  /** Since when an environment, `owner/name/environment` as it is configured, in lower case, has been configured. */
  sights: { place: string; since: number }
  /** Hooks of GitHub that deliver here; `place` is `owner/name`, or `owner` for an organization's. */
  hooks: { id: number; kind: 'repository' | 'organization' | 'app'; place: string }
  /** When GitHub was asked last to send a delivery of a hook once more. */
  redeliveries: { hook_id: number; guid: string; asked_at: number }
  settings: { name: string; value: string }
}
