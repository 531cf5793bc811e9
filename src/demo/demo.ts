import { messageOf } from '../errors.ts'
import { createNarrator, type Narrator } from './narrator.ts'
import { MERGED_CHANGE } from './sample-files.ts'
import { MACHINES, NAME, setStage, type Stage } from './stage.ts'

/** Plays the demonstration; answers the exit code. */
export async function runDemo({ once }: { readonly once: boolean }): Promise<number> {
  const interrupted = new AbortController()
  const stop = (): void => interrupted.abort()
  // More than once, since npm hands a terminal's Ctrl-C on a second time.
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  let isHeard = true
  // Whoever closes the pipe ends it as Ctrl-C does: what it made is removed.
  process.stdout.removeAllListeners('error')
  process.stdout.on('error', () => {
    isHeard = false
    stop()
  })
  const say = createNarrator(process.stdout)
  say.title(
    'Ferryman, from the webhook to the message. Real: the server, git, the commands. Played: GitHub and Slack.',
  )
  const { signal } = interrupted
  const stage = await setStage().catch((thrown: unknown) => {
    if (!signal.aborted) throw thrown // otherwise the same signal has ended a git of it
  })
  if (stage === undefined) return EXIT_ON_SIGNAL
  try {
    const missing = signal.aborted ? undefined : await Promise.race([play(stage, say), aborted(signal)])
    if (missing === undefined) return isHeard ? EXIT_ON_SIGNAL : 0
    for (const one of missing) say.wrong(one)
    if (missing.length > 0) return 1
    if (!once) {
      whatNext(stage, say)
      stage.followConfig((what, wrong) => {
        say.fact('its config', what)
        if (wrong !== undefined) say.quote(wrong)
      })
      await aborted(signal)
    }
    return 0
  } finally {
    say.close()
    await stage.clear()
    process.removeListener('SIGINT', stop)
    process.removeListener('SIGTERM', stop)
  }
}

const EXIT_ON_SIGNAL = 130

const aborted = (signal: AbortSignal): Promise<undefined> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve(undefined)
    signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })

/** All deployments; answers what should have happened and did not. */
async function play(stage: Stage, say: Narrator): Promise<string[]> {
  const { github, slack, repository, address, configFile, config } = stage
  say.part('The stage')
  say.fact('repository', `${repository.origin}, ${repository.commits.length} commits`)
  say.fact('folder', `${repository.folder}, at its first commit`)
  say.fact('server', `${address}, configured by ${configFile}:`)
  say.quote(
    config.replaceAll(/(webhook_secret|token): .*/g, '$1: •••').replace(/services\/\S+/, 'services/•••'),
  )
  github.onExchange((exchange) => say.exchange(exchange))
  slack.onMessage((message) => say.message(message))

  say.part('mona asks GitHub to deploy main to production')
  const good = await deploy(stage, { repository: NAME, ref: 'main', by: 'mona', expected: 'success' }, say)
  say.part('mona merges a pull request: it is held until its check is green')
  const merged = await merge(stage, say)
  say.part('hubot asks for a commit whose deploy.sh fails')
  const broken = repository.broken.sha
  const bad = await deploy(stage, { repository: NAME, ref: broken, by: 'hubot', expected: 'failure' }, say)
  return [...good, ...merged, ...bad, ...(await playMachines(stage, say))]
}

/** The same for several machines, where this one can. */
async function playMachines(stage: Stage, say: Narrator): Promise<string[]> {
  say.part('mona asks for two machines at once: a playbook of Ansible')
  if (stage.hasAnsible)
    return deploy(
      stage,
      { repository: MACHINES, ref: 'main', by: 'mona', expected: 'success', withinMs: PLAYBOOK_MS },
      say,
    )
  say.fact('left out', 'there is no ansible-playbook here (apt-get install ansible)')
  return []
}

interface Asked {
  readonly repository: string
  readonly ref: string
  readonly by: string
  readonly expected: 'success' | 'failure'
  readonly withinMs?: number
}

/** Lets GitHub's double make a deployment, and follows it to its end. */
async function deploy(
  { github, slack }: Stage,
  { repository, ref, by, expected, withinMs }: Asked,
  say: Narrator,
): Promise<string[]> {
  const told = slack.messages.length
  const { deployment, deliveries } = await github.createDeployment(
    repository,
    { ref, auto_merge: false, required_contexts: [] },
    by,
  )
  for (const delivery of deliveries) say.delivery('deployment', delivery)
  return follow({ github, slack, id: deployment.id, told, expected, withinMs }, say)
}

const CHECK = 'ci/test'

/** Lets GitHub's double merge a pull request whose check is still running, and turn it green. */
async function merge({ github, slack, repository }: Stage, say: Narrator): Promise<string[]> {
  const told = slack.messages.length
  const { sha, message } = await repository.push(MERGED_CHANGE)
  const looked = github.waitFor(({ path }) => path.endsWith(`/commits/${sha}/check-runs`), WITHIN_MS)
  const merged = await github.merge(NAME, {
    number: 12,
    title: message,
    author: 'octo',
    by: 'mona',
    method: 'squash',
    shas: [sha],
    tell: ['pull_request'],
  })
  for (const delivery of merged.deliveries) say.delivery('pull_request', delivery)
  const missing: string[] = []
  await looked.catch((thrown: unknown) => missing.push(`a look at the checks: ${messageOf(thrown)}`))
  say.fact('held', `waiting for ${CHECK}, which has not been reported yet`)

  const made = github.waitFor(
    ({ method, path, answer }) =>
      method === 'POST' && path.endsWith('/deployments') && answer?.status === 201,
    WITHIN_MS,
  )
  const green = await github.reportStatus(NAME, sha, { context: CHECK, state: 'success' })
  for (const delivery of green.deliveries) say.delivery('status', delivery)
  const asked = await made.catch((thrown: unknown) => {
    missing.push(`a deployment on GitHub: ${messageOf(thrown)}`)
    return undefined
  })
  if (asked === undefined) return missing
  const id = Number(Reflect.get(Object(asked.answer?.body), 'id'))
  return [...missing, ...(await follow({ github, slack, id, told, expected: 'success' }, say))]
}

interface Followed extends Pick<Stage, 'github' | 'slack'> {
  readonly id: number
  /** Messages in Slack before it. */
  readonly told: number
  readonly expected: 'success' | 'failure'
  /** How long each may take to come. */
  readonly withinMs?: number | undefined
}

/** Waits for everything that is to be told of a deployment, and shows its log; answers what did not come. */
async function follow(
  { github, slack, id, told, expected, withinMs = WITHIN_MS }: Followed,
  say: Narrator,
): Promise<string[]> {
  const missing: string[] = []
  const expect = async (what: string, happening: Promise<unknown>): Promise<void> => {
    await happening.catch((thrown: unknown) => missing.push(`${what}: ${messageOf(thrown)}`))
  }
  for (const state of ['queued', 'in_progress', expected])
    await expect(
      `the status ${state} on GitHub`,
      github.waitFor(
        ({ path, body }) => path.endsWith(`/deployments/${id}/statuses`) && stateIn(body) === state,
        withinMs,
      ),
    )
  await expect(
    'two messages in Slack',
    slack.waitFor(() => slack.messages.length >= told + 2, withinMs),
  )
  const logUrl = github.statusesOf(id).at(-1)?.logUrl ?? ''
  say.log(logUrl, await logOf(logUrl).catch((thrown: unknown) => `no log: ${messageOf(thrown)}`))
  return missing
}

const WITHIN_MS = 30_000
/** Ansible alone takes seconds to begin, and many on a busy machine. */
const PLAYBOOK_MS = 3 * 60_000

const stateIn = (body: unknown): unknown =>
  typeof body === 'object' && body !== null ? Reflect.get(body, 'state') : undefined

async function logOf(url: string): Promise<string> {
  const response = await fetch(`${url}&colours=1`, { signal: AbortSignal.timeout(WITHIN_MS) })
  return response.text()
}

function whatNext({ configFile, github, address }: Stage, say: Narrator): void {
  const send = `bin/ferryman send deployment --config ${configFile}`
  say.part('It stays up. Try, in another terminal:')
  say.fact('deploy again', `bin/ferryman deploy acme/shop --config ${configFile} --wait`)
  say.fact('send a sample', send)
  say.fact('an unknown task', `${send} --task dance`)
  say.fact("another tool's", `${send} --environment github-pages`)
  say.fact('is it ready?', `curl ${address}/readyz`)
  say.fact(
    'break its config',
    `\${EDITOR:-vi} ${configFile}   (a wrong edit changes nothing, and is shown here)`,
  )
  say.fact(
    "GitHub's double",
    `${github.url}: statuses for samples are refused there, for it did not make them`,
  )
  say.fact('end it', 'Ctrl-C')
}
