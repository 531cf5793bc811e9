/**
 * Every reason Ferryman gives: why a delivery led to nothing, and why a deployment ended as it did.
 * The code is a contract (GitHub, Slack, API, CLI and docs show the same one); the text says what it means.
 */
export const IGNORED = {
  ping: 'GitHub checked that the webhook arrives. It does.',
  event_not_used: 'Ferryman does not act on this kind of event.',
  action_not_used: 'Ferryman does not act on this action of the event.',
  repository_not_configured: 'The repository is not in the configuration.',
  environment_not_configured:
    'The environment is not configured for this repository: it belongs to another tool.',
  made_by_actions: 'A GitHub Actions job made this deployment for itself; accept_actions_deployments is off.',
  not_merged: 'The pull request was closed without being merged.',
  not_a_branch: 'Only pushes to branches deploy; this was a tag or another ref.',
  branch_deleted: 'The branch was deleted.',
  branch_not_configured: 'The branch is not the one that is deployed.',
  deploys_otherwise: 'No environment of this repository deploys on this; deploy_on says on what.',
  not_via_github: 'The repository says via: none: it is polled, and what GitHub tells of it is not for it.',
  nothing_waits: 'No deployment waits for the checks of this commit.',
  deployment_status_noted: 'A status was written; Ferryman reports its own deployments itself.',
} as const satisfies Record<string, string>

/** `ran`: something was executed and did not succeed (GitHub `failure`); `could_not_run`: nothing useful could be (GitHub `error`). */
export const FAILED = {
  command_failed: 'ran',
  playbook_failed: 'ran',
  unreachable: 'ran',
  timed_out: 'ran',
  silent: 'ran',
  verification_failed: 'ran',
  checks_failed: 'ran',
  interrupted: 'could_not_run',
  wait_expired: 'could_not_run',
  no_checks_reported: 'could_not_run',
  github_refused: 'could_not_run',
  foreign_commit: 'could_not_run',
  ownership_unclear: 'could_not_run',
  task_unknown: 'could_not_run',
  payload_wrong: 'could_not_run',
  locked_already: 'could_not_run',
  lock_is_newer: 'could_not_run',
  lock_is_over: 'could_not_run',
  source_unavailable: 'could_not_run',
  source_refused: 'could_not_run',
  release_failed: 'could_not_run',
  target_unavailable: 'could_not_run',
  config_invalid: 'could_not_run',
  config_removed: 'could_not_run',
  folder_missing: 'could_not_run',
  command_not_found: 'could_not_run',
  argument_refused: 'could_not_run',
  inventory_missing: 'could_not_run',
  playbook_missing: 'could_not_run',
  playbook_invalid: 'could_not_run',
  no_hosts_matched: 'could_not_run',
  ansible_failed: 'could_not_run',
  log_unwritable: 'could_not_run',
  internal_error: 'could_not_run',
} as const satisfies Record<string, 'ran' | 'could_not_run'>

/** Why a deployment was taken back before it could end by itself. */
export const CANCELLED = {
  by_person: 'Somebody cancelled it.',
  superseded: 'A newer deployment took its place.',
  overtaken: 'A newer commit was deployed meanwhile.',
  not_on_branch: 'The commit is not on its branch any more.',
  before_first_sight: 'The branch was further already when Ferryman first saw this environment.',
} as const satisfies Record<string, string>

/** Why a queued deployment waits for more than its turn. */
export const HELD = {
  deciding: 'It has just come; nothing was asked yet.',
  checks_pending: 'Required checks have not passed yet.',
  checks_stale:
    'Its checks passed a while ago, or have moved since; they are looked at again before it begins.',
  commit_unchecked: 'Whether the commit belongs to the repository itself is still to be seen.',
  locked: 'Somebody has locked the environment, its repository or everything.',
  pinned: 'Somebody went back to an earlier commit, and nothing goes there by itself until that is over.',
  outside_windows: 'Nothing is deployed here at this time.',
  earlier_environment: 'Another environment has to take the commit first.',
  approval_pending: 'A second person has to agree.',
  author_unknown:
    'Somebody other than the author has to agree, and whose change it is has yet to be asked of GitHub.',
  hook_blocked: 'A hook before the work says that it may not begin yet; it is asked again.',
  newer_first:
    'A newer commit is on its way to the environment; whether this one is still wanted is seen then.',
  github_unavailable: 'GitHub does not answer, or asks for patience; it is asked again.',
  github_forbids: 'The token lacks a right that this needs; it is tried again.',
} as const satisfies Record<string, string>

export type IgnoredReason = keyof typeof IGNORED
export type FailedReason = keyof typeof FAILED
export type CancelledReason = keyof typeof CANCELLED
export type HoldReason = keyof typeof HELD
/** Why a deployment is in its final state; a success needs none. */
export type EndReason = FailedReason | CancelledReason
