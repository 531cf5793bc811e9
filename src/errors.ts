/** Every problem a person can meet. The message says what is wrong; the hint says what to do. */
export const PROBLEMS = {
  config_not_found: {
    status: 500,
    message: 'There is no configuration at {paths}.',
    hint: 'Copy config.example.yml to config.yml, or name a file with --config or FERRYMAN_CONFIG.',
  },
  config_unreadable: {
    status: 500,
    message: 'The configuration {file} cannot be read: {cause}.',
    hint: 'It has to be a file of UTF-8 text, of at most 1 MB, that this user may read. Commands are for the user that runs the server, as with `sudo -u`.',
  },
  config_invalid: {
    status: 500,
    message: 'The configuration {file} has {count}:\n{list}',
    hint: 'Mend the lines named above; `ferryman check` looks at them again.',
  },
  value_gone: {
    status: 500,
    message: 'A value that the deployment was accepted with is gone: {what}.',
    hint: 'Put it back and deploy again, or deploy again with the configuration as it is now.',
  },
  processes_unseen: {
    status: 500,
    message: 'There is no /proc here that tells of processes.',
    hint: 'Run the server on Linux, with /proc mounted: without it, what a deployment has started could not be ended for certain.',
  },
  data_dir_locked: {
    status: 500,
    message: 'Another Ferryman is already running on {directory}.',
    hint: 'Stop it first, or give this one its own data_dir.',
  },
  data_dir_unusable: {
    status: 500,
    message: 'The data directory {directory} cannot be used: {cause}.',
    hint: 'Let the user that runs Ferryman own it, on a disk that has room and may be written.',
  },
  database_unreachable: {
    status: 500,
    message: 'The database {database} does not answer: {cause}.',
    hint: 'Check the address and the credentials in `database`, and that the server is running.',
  },
  database_unusable: {
    status: 500,
    message: 'The database {database} cannot be used: {cause}.',
    hint: 'Let the user that runs Ferryman own the data directory and all that is in it, on a disk that has room and may be written.',
  },
  database_busy: {
    status: 500,
    message: 'The database {database} cannot be used, since another process writes to it: {cause}.',
    hint: 'End that process, or let it end (`fuser -v` names it), and start again.',
  },
  database_unfit: {
    status: 500,
    message: 'The database {database} answers, but cannot be used: {cause}.',
    hint: 'Make one for Ferryman: `create database ferryman owner ferryman encoding utf8 template template0`, on a server that may be written; its user makes the tables in the first schema of its search_path.',
  },
  database_damaged: {
    status: 503,
    message: 'The database {file} is damaged: {cause}.',
    hint: 'Stop Ferryman, move this file and those beside it (-wal, -shm) away, and put your backup there: see docs/operating.md.',
  },
  database_missing: {
    status: 500,
    message:
      'There are logs of deployments in {directory}, but {file}, which knows what they are, is missing or empty.',
    hint: 'Put your backup there, or name the PostgreSQL that knows them in `database`; or, to begin anew, move the whole data directory away: see docs/operating.md.',
  },
  database_locked: {
    status: 500,
    message: 'Another Ferryman is already running on the database {database}.',
    hint: 'Stop it first: one server per database.',
  },
  database_newer: {
    status: 500,
    message: 'The database was written by a newer Ferryman ({version}).',
    hint: 'Install that version again, or restore the backup from before the upgrade.',
  },
  socket_unusable: {
    status: 500,
    message:
      'The socket {file}, through which `ferryman` commands talk to the server, cannot be made: {cause}.',
    hint: 'Put data_dir on a local disk that this user owns and that takes sockets.',
  },
  address_in_use: {
    status: 500,
    message: 'The address {address} is already in use.',
    hint: 'Stop the program that listens there, or set another server.port (or PORT).',
  },
  address_unusable: {
    status: 500,
    message: 'Ferryman cannot listen on {address}: {cause}.',
    hint: 'Set server.host to an address of this machine and server.port to a port this user may open.',
  },
  signature_missing: {
    status: 401,
    message: 'The header X-Hub-Signature-256 is missing.',
    hint: 'Set the secret of the webhook on GitHub to the value of github.webhook_secret.',
  },
  signature_wrong: {
    status: 401,
    message: 'The signature in X-Hub-Signature-256 does not fit the body.',
    hint: 'Set the secret of the webhook on GitHub to the value of github.webhook_secret.',
  },
  headers_missing: {
    status: 400,
    message: 'Missing or malformed: {list}.',
    hint: 'Point a GitHub webhook here; other callers send the same headers.',
  },
  content_type_unsupported: {
    status: 400,
    message: 'The content type {type} is not understood.',
    hint: 'Choose application/json as the content type of the webhook.',
  },
  content_encoding_unsupported: {
    status: 400,
    message: 'The content encoding {encoding} is not understood.',
    hint: 'Send the body as it is, without compression.',
  },
  body_not_json: {
    status: 400,
    message: 'The body is not a JSON object: {cause}.',
    hint: 'Choose application/json as the content type of the webhook.',
  },
  body_wrong_shape: {
    status: 400,
    message: 'This is no {event} event as GitHub sends it: {list}.',
    hint: 'Compare it with https://docs.github.com/webhooks/webhook-events-and-payloads.',
  },
  body_too_large: {
    status: 413,
    message: 'The body is larger than 25 MB.',
    hint: 'GitHub never sends more: look for what else posts here.',
  },
  request_cut_off: {
    status: 400,
    message: 'The request ended before it was complete.',
    hint: 'Send it again ("Redeliver" on GitHub); if that repeats, look at what stands between.',
  },
  request_malformed: {
    status: 400,
    message: 'This is no HTTP request: {cause}.',
    hint: 'Look at what stands between GitHub and Ferryman: it changed the request, or sent its own.',
  },
  request_too_slow: {
    status: 408,
    message: 'The headers did not arrive within {headers} s, or the whole request within {whole} s.',
    hint: 'GitHub gives a delivery up after 10 s: look at the network in between.',
  },
  headers_too_large: {
    status: 431,
    message: 'The headers are larger than {most} bytes.',
    hint: 'GitHub sends about one thousand: look at what else posts here, or adds headers on the way.',
  },
  too_busy: {
    status: 503,
    message:
      'Too much is being received: more than 64 MB, or large deliveries that would have to wait too long.',
    hint: 'Send it again in a moment ("Redeliver" on GitHub).',
  },
  too_many_connections: {
    status: 503,
    message: 'More than {most} connections are open, so that new ones are closed without a word.',
    hint: 'GitHub needs a handful: let the firewall, or the proxy in front, admit only GitHub and your own people.',
  },
  cannot_record: {
    status: 503,
    message: 'The delivery could not be recorded, so nothing was started.',
    hint: 'Look into the log of Ferryman (disk full or read-only? database down?), then redeliver it on GitHub.',
  },
  method_not_allowed: {
    status: 405,
    message: '{method} is not answered here.',
    hint: 'Use {allowed}.',
  },
  path_unknown: {
    status: 404,
    message: 'There is nothing at {path}.',
    hint: 'GitHub delivers to POST /webhooks/github.',
  },
  event_unknown: {
    status: 400,
    message: 'There is no sample of "{event}".',
    hint: 'Samples: {known}.',
  },
  server_unreachable: {
    status: 503,
    message: 'No answer from {url}: {cause}.',
    hint: 'Start it with `ferryman serve`, or name another address with --url.',
  },
  server_not_running: {
    status: 503,
    message: 'No Ferryman is running on {directory}: {cause}.',
    hint: 'Start it with `ferryman serve`, or name its configuration with --config, or its folder with --data-dir.',
  },
  server_silent: {
    status: 503,
    message: 'The Ferryman on {directory} did not answer: {cause}.',
    hint: 'What was asked for may have been done all the same: look, then ask again. Its log says what it is doing.',
  },
  server_differs: {
    status: 502,
    message: 'The Ferryman on {directory} knows no {path}: it was started from another version.',
    hint: 'Restart it, as after every upgrade.',
  },
  server_forbidden: {
    status: 403,
    message: 'This user may not talk to the Ferryman on {directory}.',
    hint: 'Run the command as the user that runs the server, as with `sudo -u`.',
  },
  server_refused: {
    status: 502,
    message: 'The server answered {status}: {message}',
    hint: '{hint}',
  },
  request_wrong: {
    status: 400,
    message: 'These parts of the request are wrong: {list}.',
    hint: 'The command with --help says what it takes.',
  },
  action_unknown: {
    status: 400,
    message: '"{action}" is not understood.',
    hint: 'Known here: {known}.',
  },
  deployment_ended: {
    status: 409,
    message: '{name} has ended already: {state}.',
    hint: 'Nothing was changed. What has been deployed is taken back by deploying an earlier commit.',
  },
  approval_not_needed: {
    status: 409,
    message: 'Nobody has to approve what goes to {place}.',
    hint: 'Nothing was changed. `approval: true` in its configuration asks for a second person.',
  },
  approval_by_author: {
    status: 403,
    message: '{by} has made or asked for {name}, and another person has to approve it.',
    hint: 'Nothing was changed. Let somebody else run `ferryman approve {name}`; `allow_author: true` would let you.',
  },
  authors_unasked: {
    status: 503,
    message: 'GitHub could not be asked whose change {name} is: {cause}.',
    hint: 'Nothing was approved: nobody approves their own change. Try again in a moment; `allow_author: true` would do without.',
  },
  approver_unknown: {
    status: 403,
    message: '{by} is not among those who may approve what goes to {place}: {list}.',
    hint: 'Nothing was changed. Let one of them run `ferryman approve {name}`; `approval.by` in the configuration names them.',
  },
  approval_unknown: {
    status: 404,
    message: '{by} has not approved {name}.',
    hint: 'Nothing was changed. Everybody takes back their own approval, and no other.',
  },
  ref_wrong: {
    status: 400,
    message: '"{ref}" cannot be the name of a branch, a tag or a commit.',
    hint: 'Give a branch, a tag, or at least 7 digits of the id of a commit.',
  },
  ref_unknown: {
    status: 404,
    message: '{repository} has no branch, tag or commit "{ref}".',
    hint: 'Look at its spelling, and that it has been pushed. Of the id of a commit at least 7 digits are needed, or more where others begin the same.',
  },
  commit_in_full: {
    status: 404,
    message: '{repository} has no branch or tag "{ref}", and a commit has to be named in full there.',
    hint: 'Write all 40 digits of its id: what is not at GitHub (via: none) cannot be asked for the rest of them.',
  },
  source_has_no_refs: {
    status: 409,
    message: '{place} is deployed from a zip, which has no "{ref}".',
    hint: 'Leave the ref out to deploy what the source holds now; `:current`, `:previous` and `#12` name what was deployed before.',
  },
  source_unasked: {
    status: 503,
    message: 'The source of {place} did not say what it holds: {cause}',
    hint: 'Nothing was recorded. Try again in a moment; `ferryman check` says whether the source can be reached.',
  },
  ref_ambiguous: {
    status: 409,
    message: '{ref} is {meanings}.',
    hint: 'Say {ways}.',
  },
  ref_unreadable: {
    status: 409,
    message: 'The token may not read the code of {repository}, so that "{ref}" cannot be looked up.',
    hint: 'Name the commit by its full id, or let the token read the contents of the repository.',
  },
  commit_foreign: {
    status: 409,
    message: '{sha} is on no branch or tag of {repository}, but perhaps on a fork’s.',
    hint: 'Nothing was recorded. Push it to a branch there, then ask again.',
  },
  ownership_unclear: {
    status: 409,
    message:
      '{sha} is not on the branches and tags of {repository} that were looked at; there are more than that.',
    hint: 'Nothing was recorded. Name the branch or the tag that leads to it in place of the commit.',
  },
  nothing_deployed: {
    status: 409,
    message: 'There is no {ref} of {repository} {environment}.',
    hint: ':current is what the last success there put in place, :previous the last other commit that is not marked bad, #12 what that deployment put there, if it succeeded. Name a branch, a tag or a commit.',
  },
  github_unasked: {
    status: 503,
    message: 'GitHub could not be asked which commit that is: {cause}.',
    hint: 'Nothing was recorded. Try again in a moment; `ferryman check` says whether the token is at fault.',
  },
  key_used: {
    status: 409,
    message: 'That key was used for another wish, which is {name}.',
    hint: 'Nothing was recorded. Every new wish needs a key of its own, or none.',
  },
  answer_lost: {
    status: 503,
    message: 'The server did not answer: {cause}. Whether the deployment was recorded is not known.',
    hint: 'Ask again with --key {key}: with the same key nothing is asked for twice.',
  },
  force_reason_missing: {
    status: 400,
    message: 'Force needs a reason.',
    hint: 'Say it with --reason TEXT; everybody reads it.',
  },
  force_forbidden: {
    status: 403,
    message: 'Nothing is forced in {repository} {environment}: `force` is false there.',
    hint: 'Wait for what holds it, or let whoever may change the configuration set `force: true` for the environment.',
  },
  deployment_begun: {
    status: 409,
    message: '{name} has begun already: it is {state}.',
    hint: 'Nothing was changed: nothing stands in its way any more.',
  },
  deployment_not_ended: {
    status: 409,
    message: '{name} has not ended yet: it is {state}.',
    hint: 'Nothing was changed. Wait for its end, or take it back with `ferryman cancel`.',
  },
  task_unknown: {
    status: 404,
    message: '{place} knows no task {task}.',
    hint: 'Write it below `tasks` in the configuration, or put its executable into `tasks_folder`.',
  },
  not_a_playbook: {
    status: 409,
    message:
      'There is no dry run of {what}: it runs no Ansible playbook, and nothing else can say what it would change.',
    hint: '`ferryman plan` shows what would be run.',
  },
  place_unknown: {
    status: 404,
    message: '{place} is not in the configuration.',
    hint: '{hint}',
  },
  locked_already: {
    status: 409,
    message: 'There is a lock already: {lock}',
    hint: 'It is lock {id}; nothing was changed. `ferryman locks` lists all of them.',
  },
  lock_unknown: {
    status: 404,
    message: 'There is no lock {id}.',
    hint: 'Somebody has freed it, or its time is over. `ferryman locks` lists those that there are.',
  },
  lock_is_another: {
    status: 409,
    message: 'Lock {id} is gone, and this is another one: {lock}',
    hint: 'It stays. `ferryman unlock` without --lock frees what is there, whoever took it.',
  },
  not_locked: {
    status: 404,
    message: '{place} is not locked.',
    hint: '`ferryman locks` lists what is locked; a lock of a repository or of everything is freed where it was taken.',
  },
  not_pinned: {
    status: 404,
    message: '{place} is not pinned.',
    hint: 'Nothing but its gates keeps merges and pushes from deploying there; `ferryman why` says what does.',
  },
  database_away: {
    status: 503,
    message: 'The database does not answer.',
    hint: 'Look at it, and into the log of Ferryman; then try again in a moment.',
  },
  not_recorded: {
    status: 503,
    message: 'This could not be recorded, so nothing was changed.',
    hint: 'Look into the log of Ferryman (disk full or read-only? database down?), then try again.',
  },
  delivery_unknown: {
    status: 404,
    message: 'There is no delivery {id}.',
    hint: '`ferryman deliveries` lists those that are kept; older ones are on GitHub, under the webhook.',
  },
  report_unknown: {
    status: 404,
    message: 'There is no report {id}.',
    hint: '`ferryman outbox` lists what is owed and what was refused; --json and --limit show more of it.',
  },
  report_delivered: {
    status: 409,
    message: 'Report {id} was delivered.',
    hint: 'Nothing was changed: nothing is said twice.',
  },
  report_overtaken: {
    status: 409,
    message: 'Report {id} is overtaken: {newer} is newer, about the same deployment, and {state}.',
    hint: 'Nothing was changed, since an older word after a newer one would be wrong. `ferryman outbox send {newer}` if that one was refused.',
  },
  sha_wrong: {
    status: 400,
    message: '"{sha}" is no full commit id.',
    hint: 'Give --sha the 40 hexadecimal digits that `git rev-parse HEAD` prints.',
  },
  git_missing: {
    status: 500,
    message: 'There is no git on the PATH, and the demonstration deploys with it.',
    hint: 'Install it, as with `apt-get install git`.',
  },
  sha_missing: {
    status: 400,
    message: 'The folder {folder} is no git work tree with a commit, so there is no commit to name.',
    hint: 'Give the full commit id with --sha.',
  },
  payload_wrong: {
    status: 400,
    message: 'The payload {payload} is not JSON.',
    hint: 'Quote it for the shell, as in --payload \'["a", "b"]\'.',
  },
  query_wrong: {
    status: 400,
    message: 'These parameters of the address are wrong: {list}.',
    hint: 'offset and limit are whole numbers (offset -1: the end of the log), colours and follow are 0 or 1.',
  },
  deployment_unknown: {
    status: 404,
    message: 'There is no deployment {id}.',
    hint: 'Take its name from `ferryman deliveries`, or its address from the deployment status on GitHub.',
  },
  log_access_denied: {
    status: 401,
    message: 'This log needs a token or a signed link.',
    hint: 'Send "Authorization: Bearer <server.api_token>", or open the link in the deployment status.',
  },
  log_link_expired: {
    status: 401,
    message: 'This link to the log has expired.',
    hint: 'Links live for 30 days. Send "Authorization: Bearer <server.api_token>" instead.',
  },
  log_unwritable: {
    status: 500,
    message: 'The log {file} cannot be written: {cause}.',
    hint: 'Make room on the disk, or let the user that runs Ferryman own the data directory.',
  },
} as const satisfies Record<string, Problem>

interface Problem {
  /** The HTTP status where the problem is an answer. */
  readonly status: number
  readonly message: string
  readonly hint: string
}

export type ProblemCode = keyof typeof PROBLEMS

type Blanks<Text extends string> = Text extends `${string}{${infer Name}}${infer Rest}`
  ? Name | Blanks<Rest>
  : never
type Details<C extends ProblemCode> = Record<
  Blanks<(typeof PROBLEMS)[C]['message'] | (typeof PROBLEMS)[C]['hint']>,
  string
>

/** A problem with a stable code; `message` and `hint` are ready to be shown. */
export class FerrymanError extends Error {
  override readonly name = 'FerrymanError'
  readonly code: ProblemCode
  readonly status: number
  readonly hint: string

  constructor(code: ProblemCode, details: Record<string, string>, cause?: unknown) {
    const { message, hint, status } = PROBLEMS[code]
    super(fill(message, details), cause === undefined ? undefined : { cause })
    this.code = code
    this.status = status
    this.hint = fill(hint, details)
  }

  /** The same problem with its words put through a filter, without its cause. */
  masked(mask: (text: string) => string): FerrymanError {
    const same = new FerrymanError(this.code, {})
    return Object.assign(same, { message: mask(this.message), hint: mask(this.hint) })
  }
}

/** `throw problem('config_not_found', {paths})`: a missing blank does not compile. */
export const problem = <C extends ProblemCode>(
  code: C,
  details: Details<C>,
  cause?: unknown,
): FerrymanError => new FerrymanError(code, details, cause)

/** What went wrong in words, whatever was thrown. */
export const messageOf = (thrown: unknown): string =>
  thrown instanceof Error ? thrown.message : String(thrown)

const fill = (text: string, details: Record<string, string>): string =>
  text.replaceAll(/\{(\w+)\}/g, (blank, name: string) => details[name] ?? blank)
