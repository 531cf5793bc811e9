import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { KEY_SHAPE } from '../../config/heroku.ts'
import type { Deployment } from '../../deployment/deployment.ts'
import type { HerokuRecipe } from '../../deployment/recipe.ts'
import { FerrymanError } from '../../errors.ts'
import { quoted } from '../quoted.ts'
import type { Failure, StepFailure } from '../step.ts'
import type { ActionStep, Doing } from '../steps.ts'
import { fetchAnew, fetchCommit } from '../workspace/fetch.ts'
import { withGit, type Git } from '../workspace/git.ts'
import { gitEnvironment, gitSettings, sourceOf, type Source } from '../workspace/source.ts'
import { isDamaged, onItsOwn, wasThere, whyNotPushed, whyNotReleased } from './verdict.ts'

/** How many lines of git and Heroku are looked at. */
const LINES = 50

/** Where an app is pushed to; its key is shown there and nowhere else. Pure. */
export const targetOf = ({ url }: Pick<HerokuRecipe, 'url'>): Source => ({
  url,
  protocol: new URL(url).protocol.slice(0, -1),
  tokenFor: new URL(url).origin,
  ssh: 'false',
})

/**
 * Pushes the commit of a deployment to Heroku, which builds it meanwhile. Its branch there is what was deployed last, and
 * no history: whatever it was, it becomes that commit.
 */
export const pushStep = (deployment: Deployment, recipe: HerokuRecipe): ActionStep => ({
  kind: 'action',
  name: `push ${deployment.sha.slice(0, 7)} to Heroku as ${recipe.app}`,
  onFailure: 'ends',
  async perform(doing) {
    const key = keyOf(recipe, doing)
    if (typeof key !== 'string') return key
    const copy = join(doing.folder, 'heroku.git')
    const missing = await copyCommit(deployment, copy, doing)
    if (missing !== undefined || doing.signal.aborted) return missing
    const failure = await push(deployment, recipe, { copy, key }, doing)
    if (failure === undefined || !isDamaged(doing.log.lastLines(LINES)) || doing.signal.aborted)
      return failure
    // What is damaged was never taken, so that it may be given again.
    const anew = await copyAnew(deployment, copy, doing)
    if (anew === 'sound') return failure
    return anew ?? push(deployment, recipe, { copy, key }, doing)
  },
})

/** The key as it is now; or why there is none. */
function keyOf({ apiKey }: HerokuRecipe, { resolve, masker }: Doing): string | Failure {
  try {
    const key = resolve(apiKey)
    masker.add([key])
    if (KEY_SHAPE.test(key)) return key
    return { reason: 'config_invalid', detail: 'What heroku.api_key says is no API key; correct it there.' }
  } catch (thrown) {
    if (!(thrown instanceof FerrymanError)) throw thrown
    return { reason: 'config_invalid', detail: `${thrown.message} ${thrown.hint}` }
  }
}

/** Makes a bare repository that nobody else works on, as long as Heroku may build: links to all that is kept. */
function copyCommit(deployment: Deployment, copy: string, doing: Doing): Promise<StepFailure | undefined> {
  return withMirror(deployment, doing, async (git, mirror) => {
    const { sha, repository, environment } = deployment
    return (
      (await fetchCommit({ mirror, sha, repository, environment }, git)) ??
      (await copyOf(deployment, { mirror, copy }, git))
    )
  })
}

/** The same, where what is kept is damaged; `sound` where it is not. */
async function copyAnew(
  deployment: Deployment,
  copy: string,
  doing: Doing,
): Promise<StepFailure | 'sound' | undefined> {
  let isSound = false
  await rm(copy, { recursive: true, force: true })
  const failure = await withMirror(deployment, doing, async (git, mirror) => {
    isSound = await git.isSound(mirror)
    if (isSound) return undefined
    const { sha, repository, environment } = deployment
    return (
      (await fetchAnew({ mirror, sha, repository, environment }, git)) ??
      (await copyOf(deployment, { mirror, copy }, git))
    )
  })
  return isSound ? 'sound' : failure
}

async function copyOf(
  { sha }: Deployment,
  { mirror, copy }: { readonly mirror: string; readonly copy: string },
  git: Git,
): Promise<StepFailure | undefined> {
  await git.pointTo(mirror, sha)
  const clone = ['clone', '--quiet', '--bare', '--local', '--template=', '--', mirror, copy]
  return git.run(clone, { folder: mirror, also: ['file'] })
}

async function withMirror(
  { repository, configuredAs, recipe }: Deployment,
  doing: Doing,
  work: (git: Git, mirror: string) => Promise<StepFailure | undefined>,
): Promise<StepFailure | undefined> {
  const { mirrors, workspaces, githubUrl, readingToken } = doing.checkouts
  const workspace = recipe.workspace ?? { submodules: false, lfs: false }
  const mirror = mirrors.pathOf(configuredAs)
  const gitParts = {
    source: sourceOf(workspace, repository, githubUrl()),
    repository,
    variables: doing.variables,
    ceilings: [mirrors.directory, workspaces, doing.folder],
    lfs: false,
    token: () => readingToken(repository, { others: false }),
  }
  const waiting = () => void doing.log.line(`Waits until another deployment has fetched ${repository}.`)
  return withGit(gitParts, doing, (git) =>
    mirrors.alone(mirror, () => work(git, mirror), { signal: doing.signal, waiting }),
  )
}

interface Given {
  /** The repository that has the commit. */
  readonly copy: string
  readonly key: string
}

async function push(
  { sha }: Deployment,
  { app, url, branch }: HerokuRecipe,
  { copy, key }: Given,
  doing: Doing,
): Promise<StepFailure | undefined> {
  const target = targetOf({ url })
  const folder = join(doing.folder, 'heroku')
  const places = {
    settings: join(folder, 'gitconfig'),
    credentials: join(folder, 'git-credentials'),
    ceilings: [doing.folder],
  }
  const argv = ['git', 'push', '--', url, `+${sha}:refs/heads/${branch}`]
  const environment = {
    ...gitEnvironment(doing.variables, target, places, [target.protocol]),
    LC_ALL: 'C.UTF-8', // what git says is read
  }
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await writeFile(places.settings, settingsFor(target), { mode: 0o600 })
    // Heroku takes any name.
    await writeFile(places.credentials, `username=heroku\npassword=${key}\n`, { mode: 0o600 })
    const command = { kind: 'command', name: argv.map(quoted).join(' '), argv, folder: copy } as const
    const failure = await doing.run({ ...command, leaveProcesses: false, onFailure: 'ends' }, environment)
    const lines = doing.log.lastLines(LINES)
    if (failure === undefined) return await seeSuccess(lines, { app, url, sha, branch }, doing)
    if (failure.reason === 'command_failed') return { ...failure, ...whyNotPushed(lines, { app, url, sha }) }
    if (CUT_SHORT.has(failure.reason)) await doing.log.line(`Nobody waits for it any more: ${onItsOwn(app)}.`)
    return failure
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Why a push ends that has not failed. */
const CUT_SHORT: ReadonlySet<string> = new Set(['by_person', 'timed_out', 'silent', 'interrupted'])

/** The settings of git for a push. A build may print nothing for a while; how long is for `silence_timeout` to say. Pure. */
export const settingsFor = (target: Source): string =>
  `${gitSettings({ ...target, lfs: false })}[http]\n\tlowSpeedLimit = 0\n\tlowSpeedTime = 0\n`

async function seeSuccess(
  lines: readonly string[],
  { app, url, sha, branch }: Pick<HerokuRecipe, 'app' | 'url' | 'branch'> & { readonly sha: string },
  { log, note, previousSha }: Doing,
): Promise<StepFailure | undefined> {
  const failure = whyNotReleased(lines, { app, url, sha })
  if (failure !== undefined || !wasThere(lines)) return failure
  await log.line(
    `Heroku has ${sha.slice(0, 7)} on ${branch} already, and builds nothing for it; \`heroku releases --app ${app}\` shows which release is there.`,
  )
  note(`Heroku had it already and built nothing${previousSha === sha ? '' : ', release not verified'}`)
  return undefined
}
