import { createHmac, randomBytes } from 'node:crypto'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'

import { isViaGitHub, type Config, type EnvironmentConfig, type RepositoryConfig } from './config/config.ts'
import { resolveValue } from './config/values.ts'
import { nameOf, placeOf, type Deployment } from './deployment/deployment.ts'
import type { ReleasesRecipe, Value } from './deployment/recipe.ts'
import { createGitHub } from './github/client.ts'
import { problem } from './errors.ts'
import type { GitHub } from './github/github.ts'
import { reserveUntil } from './github/limits.ts'
import { NOBODY } from './github/requests.ts'
import { createRequestPace, resumedGitHubPace, type Creation } from './github/pace.ts'
import type { Journal } from './logs/journal.ts'
import { createLogLinks } from './logs/links.ts'
import { createLogs } from './logs/logs.ts'
import type { Masker } from './logs/redact.ts'
import { decide, repositoryOf } from './decide/decide.ts'
import { approve, takeApprovalBack, type ApproveParts } from './decide/approve.ts'
import { force } from './decide/force.ts'
import { createGate, withChecks } from './decide/gates.ts'
import { startFirstSight } from './decide/first-sight.ts'
import { startHolds, type Holds } from './decide/holds.ts'
import { bindLoose } from './decide/loose.ts'
import { why, type Why } from './decide/why.ts'
import type { Pace } from './pace.ts'
import { createDryRuns, type DryRunParts } from './dry-run.ts'
import { createPrepare } from './perform.ts'
import { planFor, planForDelivery, type PlanParts } from './plan.ts'
import { replayDelivery, takeDelivery, type Parts } from './pipeline.ts'
import { startPolling } from './polling.ts'
import { cancel } from './queue/cancel.ts'
import { forecast } from './queue/forecast.ts'
import { recordingSurely } from './queue/recording.ts'
import { recover } from './queue/recovery.ts'
import { startRemoval } from './queue/removal.ts'
import { startWorker, type Worker } from './queue/worker.ts'
import { startCatchUp, type CatchUp } from './receive/catch-up.ts'
import { createGroupCommit } from './store/group-commit.ts'
import type { Poller } from './receive/poller.ts'
import { createRefusalCount } from './receive/refusals.ts'
import { createSignatureCheck } from './receive/signature.ts'
import { serveWebhooks } from './receive/webhook.ts'
import { commitChannel } from './report/commit-channel.ts'
import { githubChannel } from './report/github-channel.ts'
import { startLockWatch } from './report/lock-watch.ts'
import { startOutbox } from './report/outbox.ts'
import { forcedReportsFor, reportsFor, type ReportContext } from './report/reports.ts'
import { settlingSurely } from './report/settling.ts'
import { postToSlack } from './report/slack-channel.ts'
import type { SlackMessage } from './report/slack-message.ts'
import { addressesAt, createSlackRecipients, noticesOn } from './report/slack-recipients.ts'
import { startTokenWatch } from './report/token-watch.ts'
import { PATIENCE, type Patience } from './run/ending.ts'
import { baseEnvironment } from './run/environment.ts'
import { startGuard } from './run/guard.ts'
import { endLeftovers } from './run/leftovers.ts'
import { areProcessesSeen } from './run/processes.ts'
import { mendCurrent } from './run/releases.ts'
import { askSource } from './run/sources/version.ts'
import { startStandby } from './run/standby.ts'
import { createMirrors } from './run/workspace/mirrors.ts'
import { removeTree } from './run/workspace/remove.ts'
import { holdDataDirectory } from './store/sole-server.ts'
import { isOfOneRow } from './store/database.ts'
import { assertNoLogs, assertNotLost } from './store/lost.ts'
import { startRetention } from './retention.ts'
import { freeAt, isFull, LACKS, watchRoom } from './room.ts'
import { openStore } from './store/sql-store.ts'
import type { Intake, ReportsFor } from './store/store.ts'
import { currentUser } from './user.ts'
import { serveApi } from './web/api/api.ts'
import { serveHealth } from './web/health.ts'
import { serveLog } from './web/log.ts'
import type { AskSource } from './version-asked.ts'
import { takeWish } from './wish.ts'
import { closeServer, createServer, listen } from './web/server.ts'
import { isServed, listenOnSocket } from './web/socket.ts'

/** What the outside gives: everything that a test may want to choose. */
export interface Surroundings {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly clock: () => number
  readonly journal: Journal
  /** Learns every secret of every configuration. */
  readonly masker: Masker
  readonly version: string
  /** How long GitHub and Slack have for an answer; each has its own default. */
  readonly answerWithinMs?: number
  /** How long what a deployment has started may take to end. */
  readonly patience?: Patience
  /** Another server has taken the database: this one must end now. */
  readonly onLockLost?: () => void
}

export interface App {
  /** `http://127.0.0.1:5000`: where it listens. */
  readonly address: string
  /** Takes a new configuration for everything that comes from now on. */
  reload(config: Config): Promise<void>
  /** Somebody may have mended what it waits for: asks everybody again now. */
  again(): void
  /** Takes no new work, gives what runs the time to end, then ends everything; nothing is left behind. */
  stop(withinMs: number): Promise<void>
  /** Ends the time that `stop` gives. */
  hurry(): void
}

const FLUSH_MS = 5_000
const HOUR_MS = 60 * 60_000
/** What is left of GitHub's hourly budget for reports, and for what something has called for. */
const LOOK_RESERVE = 0.1
const WEEK_MS = 7 * 24 * HOUR_MS

/** Builds every part once, hands each what it needs, and starts them: the whole server. */
export async function startApp(
  first: Config,
  {
    environment,
    clock,
    journal,
    masker,
    version,
    answerWithinMs,
    onLockLost,
    patience = PATIENCE,
  }: Surroundings,
): Promise<App> {
  if (!areProcessesSeen()) throw problem('processes_unseen', {})
  let config = first
  const timeLimit = answerWithinMs === undefined ? {} : { timeoutMs: answerWithinMs }
  masker.add(config.secrets)
  const started: (() => unknown)[] = [holdDataDirectory(config.dataDir, onLockLost)]
  /** Ends what was started, the newest first; what cannot be ended keeps nothing else from it. */
  const close = async (): Promise<void> => {
    const failures: unknown[] = []
    for (const end of started.splice(0).toReversed())
      try {
        await end()
      } catch (cause) {
        failures.push(cause)
      }
    if (failures.length > 0) throw failures[0]
  }
  try {
    return await build()
  } catch (cause) {
    await close().catch(() => {}) // the first cause counts
    throw cause
  }

  async function build(): Promise<App> {
    // Somebody may have deleted the lock of a server that still runs.
    if (await isServed(config.dataDir)) throw problem('data_dir_locked', { directory: config.dataDir })
    const logsDirectory = join(config.dataDir, 'logs')
    const file = join(config.dataDir, 'ferryman.sqlite')
    if (config.database === undefined) assertNotLost(file, logsDirectory)
    const store = await openStore(config.database ?? file, onLockLost, (empty) =>
      assertNoLogs(empty, logsDirectory),
    )
    started.push(store.close)
    const logs = createLogs({ directory: logsDirectory, clock })
    const begun = await logs.ids()
    // Those of deployments that the database has forgotten, as where a backup was restored, remain theirs.
    await store.beginAfter(begun.at(-1) ?? 0)
    const linkKey = await store.setting('log_link_key', () => randomBytes(32).toString('base64url'))
    const links = createLogLinks(linkKey, config.server.publicUrl, clock)
    const nonceKey = await store.setting('nonce_key', () => randomBytes(32).toString('base64url'))
    masker.add([linkKey, nonceKey])
    const newNonce = (words?: readonly string[]): string =>
      words === undefined
        ? randomBytes(16).toString('hex')
        : createHmac('sha256', nonceKey).update(JSON.stringify(words)).digest('hex').slice(0, 32)
    const guard = startGuard()
    started.push(guard.stop)
    const runs = join(config.dataDir, 'runs')
    const workspaces = join(config.dataDir, 'workspaces')
    const mirrors = createMirrors(join(config.dataDir, 'mirrors'))
    const stopSignal = new AbortController()
    /** Ends every request to GitHub and Slack that is under way. */
    const calls = new AbortController()

    let requestPace = createRequestPace(config.github.requestsPerMinute)
    const makeGitHub = (credentials = config.github.credentials): GitHub =>
      createGitHub({
        ...(credentials ?? NOBODY),
        mask: masker.mask,
        learn: masker.lend,
        clock,
        asked: () => requestPace.begin('timer', clock()).end(clock()),
        apiUrl: config.github.apiUrl,
        version,
        signal: calls.signal,
        ...timeLimit,
      })
    const posting = { signal: calls.signal, ...timeLimit }
    let isStopping = false
    let github = makeGitHub()
    let signed = createSignatureCheck(config.github.webhookSecrets)

    const context: ReportContext = {
      logUrl: (deployment) => links.forReport(deployment),
      mask: (text) => masker.mask(text),
      slack: (deployment) => noticesOn(deployment, config),
      isElsewhere: (deployment) => !isAtGitHub(deployment),
      hasCommitStatus: (deployment) => environmentOf(deployment)?.commitStatus === true,
      get githubUrl() {
        return webUrlOf(config.github.apiUrl)
      },
    }
    const reports: ReportsFor = (deployment, streak) => reportsFor(deployment, streak, context)
    const forcedReports: ReportsFor = (deployment, streak) => forcedReportsFor(deployment, streak, context)

    const resumedPace = async ({ github: { creationsPerHour } }: Config): Promise<Pace<Creation>> =>
      resumedGitHubPace(creationsPerHour, await store.outbox.givenToGitHub(clock() - HOUR_MS))
    let pace = await resumedPace(config)
    const toGitHub = githubChannel(() => github, { outbox: store.outbox, pace: () => pace, clock })
    const toCommits = commitChannel(() => github, toGitHub)
    const toSlack = createSlackRecipients({ config: () => config, means: posting, clock })
    const outbox = startOutbox({
      outbox: settlingSurely(store.outbox, { signal: calls.signal, journal }),
      store,
      recipients: () => [toGitHub, toCommits, ...toSlack()],
      clock,
      random: Math.random,
      after(ms, call) {
        const timer = setTimeout(call, ms)
        return () => clearTimeout(timer)
      },
      abort: () => calls.abort(new Error('Ferryman is stopping')),
      journal,
    })
    started.push(() => outbox.stop(FLUSH_MS))

    const environmentOf = ({ configuredAs, environment: name }: Deployment) =>
      config.repositories.get(configuredAs)?.environments.get(name.toLowerCase())
    /** What a poll has found is not, also when its environment is not configured any more. */
    const isAtGitHub = (deployment: Deployment): boolean =>
      deployment.origin !== 'poll' && environmentOf(deployment)?.via !== 'none'
    const gate = createGate(environmentOf)
    const whyOf = async (wanted: EnvironmentConfig): Promise<Why> => {
      const place = { configuredAs: wanted.repository.toLowerCase(), environment: wanted.name }
      const standing = await store.situation({ ...place, lane: wanted.lane })
      const subject = standing.waiting.at(-1)
      const demanded = subject === undefined ? { after: undefined, approval: false } : gate.wanted(subject)
      const judged = subject ?? { ...place, id: 0, sha: '' }
      return why({
        environment: wanted,
        situation: standing,
        gates: await store.gateFacts(judged, { ...demanded, at: clock() }),
        subject,
        maxConcurrent: config.maxConcurrent,
        unavailable: poller?.problemOf(wanted),
        stopped: room.lack && `${LACKS[room.lack]}, and nothing is begun`,
      })
    }
    const standingInLine = async () => {
      const { deployments, averageMs, left } = await store.line(clock() - WEEK_MS)
      const begins = forecast({
        active: deployments.filter(({ state }) => state !== 'queued'),
        ready: deployments.filter(({ state, hold }) => state === 'queued' && hold === undefined),
        maxConcurrent: config.maxConcurrent,
        averageMs: ({ configuredAs, environment: name }) =>
          averageMs.get(`${configuredAs}/${name.toLowerCase()}`),
        now: clock(),
      })
      const line = deployments.map((deployment) => {
        const { position, startsAt } = begins.get(deployment.id) ?? {}
        return { deployment, position, startsAt }
      })
      return { line, left }
    }
    const approving: ApproveParts = {
      store,
      github: () => github,
      gate,
      environmentOf,
      clock,
      journal,
      decided: (deployment) => holds?.lookAtPlace(placeOf(deployment)),
    }
    const refusals = createRefusalCount(journal, clock)
    const server = createServer({ journal, refused: refusals.count })
    const knownAs = new Map(await store.repositoriesKnown())
    const record = createGroupCommit((intakes: readonly Intake[]) => (worker ?? store).accept(intakes), {
      isOfOneItem: isOfOneRow,
    })
    started.push(refusals.stop)
    let since = await store.configured(placesIn(config), clock())
    let worker: Worker | undefined
    let holds: Holds | undefined
    let catchUp: CatchUp | undefined
    let poller: Poller | undefined
    const moved = (deployment?: Deployment): void => {
      outbox.wake()
      holds?.moved(deployment)
    }
    const pipeline: Parts = {
      config: () => config,
      knownAs,
      record,
      reports,
      mask: masker.mask,
      checksMoved: (signal, configuredAs) => holds?.checksMoved(signal, configuredAs) ?? [],
      lockMoved: (place) => holds?.lookAtPlace(place),
      newNonce,
      logUrl: links.plain,
      journal,
      wake() {
        worker?.wake()
        outbox.wake()
        setImmediate(() => holds?.wake()) // what may begin comes first
      },
    }
    await serveWebhooks(server, {
      clock,
      signed: (pieces, signature) => signed(pieces, signature),
      refused: refusals.count,
      async take(delivery, body) {
        const taken = await takeDelivery(delivery, body, pipeline)
        catchUp?.heard(delivery, body)
        return taken
      },
    })
    const room = watchRoom({
      folders: [config.dataDir, logsDirectory],
      journal,
      made() {
        worker?.wake()
        outbox.wake()
      },
    })
    started.push(room.stop)
    await room.look()
    serveHealth(server, {
      probe: store.probe,
      lack: () => room.look().then(() => room.lack),
      isStopping: () => isStopping,
    })
    serveLog(server, {
      deployment: store.deployment,
      logs,
      links,
      apiToken: () => config.server.apiToken,
      stopping: stopSignal.signal,
    })

    started.push(() => {
      stopSignal.abort() // whoever follows a log would hold the server open
      return closeServer(server)
    })
    const control = createServer({ journal, refused: () => {} })
    const side = { environment, user: currentUser(), npmFolders: npmFolders() }
    const resolve = (value: Value): string => resolveValue(value, { environment, lookup: config.lookup })
    const installed = join(config.dataDir, 'installed')
    const asking = { server: side, resolve, hide: masker.add }
    const askSourceNow: AskSource = (wanted, ref) =>
      askSource(wanted, ref, { ...asking, signal: stopSignal.signal })
    const finding = { pipeline, store, github: () => github, askSource: askSourceNow }
    const planning: PlanParts = { ...finding, gate, server: side, resolve, clock, installed, mirrors }
    const dryRuns = createDryRuns()
    const trying = Promise.withResolvers<DryRunParts>()
    await serveApi(control, {
      dryRun: async (wanted) => dryRuns.prepare(wanted, await trying.promise),
      linkOf: (deployment) => deployment.logUrl ?? links.forReport(deployment),
      plan: (wanted) => planFor(wanted, planning),
      planDelivery: (delivery) => planForDelivery(delivery, planning),
      inbox: store.inbox,
      locks: store.locks,
      pins: store.pins,
      repositories: () => config.repositories,
      mask: masker.mask,
      lockFreed: (place) => holds?.lookAtPlace(place),
      why: whyOf,
      line: standingInLine,
      approve: (id, by) => approve(id, by, approving),
      takeApprovalBack: (id, by) => takeApprovalBack(id, by, approving),
      marked: ({ configuredAs }) => holds?.lookAtRepository(configuredAs),
      outbox: store.outbox,
      sender: outbox,
      journal,
      replay: (delivery, by) => replayDelivery(delivery, by, pipeline),
      clock,
      store,
      ask: (wish) => takeWish(wish, { ...pipeline, ...finding, forcedReports, clock }),
      force: (id, words) =>
        force(id, words, {
          store,
          environmentOf,
          mask: (text) => masker.mask(text),
          reports: forcedReports,
          clock,
          journal,
          forced({ configuredAs, environment: name }) {
            holds?.lookAtPlace(`${configuredAs}/${name.toLowerCase()}`)
            pipeline.wake()
          },
        }),
      cancel: (id, wish) =>
        cancel(id, wish, {
          store,
          interrupt: (running, why) => worker?.interrupt(running, why),
          ended: (deployment) =>
            bindLoose(deployment, { store, github: () => github, reports, clock }).catch((cause: unknown) =>
              journal.error('deployment:not-bound', { deployment: nameOf(deployment), error: cause }),
            ),
          mask: (text) => masker.mask(text),
          reports,
          clock,
          journal,
          moved,
        }),
    })
    started.push(() => closeServer(control))
    started.push(dryRuns.stop)
    started.push(await listenOnSocket(control, config.dataDir))
    const address = await listen(server, config.server.host, config.server.port)
    journal.info('server:listening', { address, version, config: config.file })

    const recovered = await recover({
      store,
      begun,
      logSize: logs.size,
      async noteInLog({ id, recipe: { maxLogBytes: maxBytes } }, text) {
        try {
          const log = await logs.open(id, { maxBytes, masker })
          await log.line(text)
          await log.close()
        } catch (cause) {
          journal.warn('log:not-closed', { deployment: id, error: cause })
        }
      },
      endLeftovers,
      reports,
      reportsWith: (lastLines) => (moved, streak) => reportsFor(moved, streak, { ...context, lastLines }),
      clock,
      journal,
      freed() {
        worker?.wake()
        moved()
      },
    })
    started.push(recovered.stop)
    // What runs of an earlier life left; nothing runs yet. A command may have made files there that are not ours.
    for (const left of [runs, workspaces])
      await removeTree(left).catch((cause: unknown) => journal.warn('runs:not-cleared', { error: cause }))
    for (const { path, target } of releasesIn(config))
      await mendCurrent({ path, target }).then(
        (isMended) => isMended && journal.warn('release:put-back', { path }),
        (cause: unknown) => journal.error('release:not-put-back', { path, error: cause }),
      )
    const tidyMirrors = (): void => {
      mirrors
        .keepOnly(checkedOut(config))
        .catch((cause: unknown) => journal.warn('mirrors:not-removed', { error: cause }))
    }
    tidyMirrors()
    const removal = startRemoval({
      store,
      laneOf: (deployment) => environmentOf(deployment)?.lane,
      reports,
      clock,
      journal,
      done() {
        worker?.wake()
        moved()
      },
    })
    started.push(removal.stop)
    const standby = startStandby({ directory: runs, environment: baseEnvironment(side, {}) })
    started.push(standby.stop)
    const running = {
      store,
      masker,
      guard,
      standby,
      server: side,
      patience,
      directory: runs,
      installed,
      checkouts: {
        mirrors,
        workspaces,
        githubUrl: () => webUrlOf(config.github.apiUrl),
        readingToken: (repository: string, of: { readonly others: boolean }) =>
          github.readingToken(repository, of),
      },
      isFull: async (folder: string) => isFull(await freeAt(folder)),
      github: () => github,
      resolve,
      clock,
      journal,
    }
    trying.resolve({ ...running, ...finding })
    const prepare = createPrepare({
      ...running,
      store: recordingSurely(store, { isStopping: () => isStopping, journal }),
      isAtGitHub,
      givesWay: (deployment) => environmentOf(deployment)?.order === 'latest',
      logs,
      logTarget: (deployment) => environmentOf(deployment)?.logTo,
      githubAs(token) {
        if (token !== undefined) return makeGitHub({ token })
        pace.resume('final', [clock()]) // GitHub counts what is made, whatever it is
        return github
      },
      context,
      reports,
      moved,
    })
    const working = startWorker({
      store,
      limit: () => (removal.isUnderWay || room.lack !== undefined ? 0 : config.maxConcurrent),
      reports,
      gate: withChecks(gate, environmentOf),
      isLeft: recovered.isLeft,
      held() {
        outbox.wake()
        holds?.wake()
      },
      prepare,
      clock,
      journal,
      mask: masker.mask,
      moved,
    })
    worker = working
    outbox.wake()
    const firstSight = startFirstSight({
      store,
      github: () => github,
      repositories: () => atGitHub(config),
      looked(githubId, configuredAs) {
        if (githubId !== undefined) knownAs.set(githubId, configuredAs)
        holds?.lookAtRepository(configuredAs)
      },
      clock,
      journal,
    })
    started.push(firstSight.stop)
    holds = startHolds({
      asking(kind) {
        const reserved = kind === 'timer' ? reserveUntil(github, clock(), LOOK_RESERVE) - clock() : 0
        return Math.max(0, reserved, requestPace.waitMs(kind, clock()))
      },
      store,
      gate,
      github: () => github,
      environmentOf,
      isSightOwed: ({ configuredAs, environment: name }) =>
        firstSight.isOwed(`${configuredAs}/${name.toLowerCase()}`),
      pace: () => pace,
      reports,
      mask: masker.mask,
      clock,
      journal,
      moved() {
        working.wake()
        outbox.wake()
      },
    })
    catchUp = startCatchUp({
      store,
      github: () => github,
      repositories: () => atGitHub(config),
      intervalMs: () => config.github.credentials && config.catchUpSeconds && config.catchUpSeconds * 1000,
      maxAgeMs: () => config.catchUpMaxAgeSeconds * 1000,
      configuredSince: (place) => since.get(place),
      concerns: (signal) => decide(signal, { repositories: config.repositories, knownAs }).verdict !== 'skip',
      take: (delivery, body, missed) => takeDelivery(delivery, body, pipeline, { missed }),
      configuredName: (repository) =>
        repositoryOf({ repository }, { repositories: config.repositories, knownAs })?.name,
      githubIdOf: (configuredAs) => [...knownAs].find(([, name]) => name === configuredAs)?.[0],
      clock,
      journal,
    })
    started.push(catchUp.stop)
    const polling = startPolling({
      ...asking,
      config: () => config,
      store,
      reports,
      mask: masker.mask,
      newNonce,
      clock,
      journal,
      wake: pipeline.wake,
    })
    poller = polling
    started.push(polling.stop)
    const inSlack = () => {
      const url = config.slack?.webhookUrl
      return url === undefined
        ? undefined
        : (message: SlackMessage) => postToSlack({ ...posting, url }, message)
    }
    const tokenWatch = startTokenWatch({
      async expiresAt() {
        if (github.app !== undefined) return undefined
        const [any] = atGitHub(config)
        // One that has ended is refused, and its end is known all the same if it was heard of before.
        await (any && github.repository(any.name).catch(() => {}))
        return github.tokenExpiresAt
      },
      post: inSlack,
      store,
      clock: () => github.clock ?? clock(), // ours may have been set wrongly, and nobody should be woken for that
      journal,
    })
    const lockWatch = startLockWatch({
      locks: store.locks,
      store,
      everyMs: () => config.lockReminderSeconds && config.lockReminderSeconds * 1000,
      addresses: (place) => addressesAt(place, config),
      post: (url, message) => postToSlack({ ...posting, url }, message),
      mask: masker.mask,
      clock,
      journal,
    })
    const retention = startRetention({
      retaining: store.retaining,
      store,
      logs,
      policy: () => config.retention,
      clock,
      steady: () => performance.now(),
      journal,
    })
    started.push(retention.stop)
    // GitHub and Slack may take their time; what was not told is told next time.
    started.push(() => void tokenWatch.stop())
    started.push(() => void lockWatch.stop())

    const askAgain = (renewed: readonly string[]): void => {
      holds?.lookAtAll()
      firstSight.wake()
      catchUp?.startOver()
      polling.startOver()
      tokenWatch.wake()
      lockWatch.wake()
      outbox.again(renewed)
    }

    return {
      address,
      async reload(next) {
        const { creationsPerHour, requestsPerMinute } = config.github
        // What the database may refuse comes first: until then everything stays as it was.
        const nextPace = next.github.creationsPerHour === creationsPerHour ? pace : await resumedPace(next)
        since = await store.configured(placesIn(next), clock())
        const renewed = isDeepStrictEqual(next.github, config.github) ? [] : [toGitHub.name, toCommits.name]
        if (next.github.requestsPerMinute !== requestsPerMinute)
          requestPace = createRequestPace(next.github.requestsPerMinute)
        pace = nextPace
        config = next
        removal.wake() // at once: until it has looked nothing begins
        masker.add(config.secrets)
        github = makeGitHub()
        signed = createSignatureCheck(config.github.webhookSecrets)
        tidyMirrors()
        working.wake()
        askAgain(renewed)
      },
      again() {
        github = makeGitHub() // a token of an App has the permissions that it was made with
        askAgain([])
      },
      async stop(withinMs) {
        isStopping = true
        journal.info('server:stopping', {})
        await Promise.all([holds?.stop(FLUSH_MS), working.stop(withinMs)])
        await close()
        journal.info('server:stopped', {})
      },
      hurry: working.hurry,
    }
  }
}

const atGitHub = ({ repositories }: Config): RepositoryConfig[] =>
  [...repositories.values()].filter(isViaGitHub)

/** Every environment as `owner/name/environment` in lower case. */
const placesIn = ({ repositories }: Config): string[] =>
  [...repositories].flatMap(([name, { environments }]) =>
    [...environments.keys()].map((environment) => `${name}/${environment}`),
  )

const releasesIn = ({ repositories }: Config): ReleasesRecipe[] =>
  [...repositories.values()]
    .flatMap(({ environments }) => [...environments.values()])
    .flatMap(({ recipe }) => recipe.releases ?? [])

/** The repositories of which anything runs in a checkout of its own. */
const checkedOut = ({ repositories }: Config): string[] =>
  [...repositories.values()]
    .filter(({ environments }) =>
      [...environments.values()]
        .flatMap(({ recipe, tasks, anyTask }) => [recipe, ...tasks.values(), ...(anyTask ? [anyTask] : [])])
        .some(({ workspace }) => workspace !== undefined),
    )
    .map(({ name }) => name)

/** Folders whose programs npm puts in front of PATH: this project's, and where npm was called. */
export const npmFolders = (): string[] => [
  dirname(dirname(fileURLToPath(import.meta.url))),
  process.env['INIT_CWD'] ?? process.cwd(),
]

/** Where people read what the API serves: github.com, or the Enterprise server itself. */
export const webUrlOf = (apiUrl: string): string =>
  apiUrl.replace(/^https:\/\/api\.(github\.com|[^/]+\.ghe\.com)$/, 'https://$1').replace(/\/api\/v3$/, '')
