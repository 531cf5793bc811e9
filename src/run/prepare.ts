import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { secretsIn } from '../config/values.ts'
import type { Deployment } from '../deployment/deployment.ts'
import { FerrymanError } from '../errors.ts'
import type { PlaybookRecipe, Recipe } from '../deployment/recipe.ts'
import { clear, homeOf, isInstalled } from './ansible/galaxy.ts'
import { preparePlaybook, type Prepared } from './ansible/playbook.ts'
import { extraVariables, resolveVariables } from './ansible/variables.ts'
import { commandEnvironment } from './environment.ts'
import type { Begun, RunParts } from './parts.ts'
import { carryOutStep, type Failure } from './step.ts'
import type { Step } from './steps.ts'
import { archiveStep, fetchStep, releaseVariables, type Placing } from './place-release.ts'
import { checkOutStep } from './workspace/check-out.ts'
import { sshCommand } from './workspace/source.ts'
import type { RunResult } from './result.ts'
import { breakOff } from './carry-out.ts'

type Variables = Readonly<Record<string, string>>

/** What the work is run with. */
export interface Ready {
  /** Beside the variables of all commands, for the work alone: hooks learn nothing of how a playbook is run. */
  readonly ofWork: Variables
  /** What has to be done before the work. */
  readonly before: readonly Step[]
}

/** Where it runs, if that is not always the same folder. */
export interface Where {
  readonly workspace: string | undefined
  readonly placing: Placing | undefined
}

/** The private folder with what the steps need, and the environment of every command; or why nothing can run. */
export async function prepare(
  deployment: Deployment,
  { folder, workspace, placing }: Where & { readonly folder: string },
  parts: RunParts,
): Promise<{ readonly variables: Variables } | Failure> {
  const payloadFile = join(folder, 'payload.json')
  // At once: this is little, and the way to the thread pool and back takes longer, several times.
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  writeFileSync(payloadFile, deployment.payload, { mode: 0o600 })
  try {
    const env = Object.fromEntries(
      Object.entries(deployment.recipe.env).map(([name, value]) => [name, parts.resolve(value)]),
    )
    parts.masker.add(
      Object.entries(deployment.recipe.env).flatMap(([name, value]) =>
        secretsIn(name, value, env[name] ?? ''),
      ),
    )
    const release = placing === undefined ? {} : releaseVariables(placing)
    const side = { ...parts, payloadFile, workspace, release, env: { ...sshFor(deployment.recipe), ...env } }
    return { variables: commandEnvironment(deployment, parts.server, side) }
  } catch (thrown) {
    return configFailure(thrown)
  }
}

/** The key that opens the source is for commands, too. */
const sshFor = ({ workspace }: Recipe): Variables =>
  workspace?.sshKeyFile === undefined
    ? {}
    : { GIT_SSH_COMMAND: sshCommand(workspace.sshKeyFile, workspace.knownHostsFile) }

/** What of the configuration cannot be read any more is a failure with a name. */
function configFailure(thrown: unknown): Failure {
  if (!(thrown instanceof FerrymanError)) throw thrown
  return { reason: 'config_invalid', detail: `${thrown.message} ${thrown.hint}` }
}

/**
 * What is to be deployed: the checkout of the commit, or what a release is made of, where the recipe has either; answers
 * how the run ends when it cannot be had.
 */
export async function bringSource(
  deployment: Deployment,
  { workspace: path, placing, variables }: Where & { readonly variables: Variables },
  parts: Begun,
): Promise<RunResult | undefined> {
  const { workspace, releases } = deployment.recipe
  if (path === undefined) return undefined
  if (placing?.isThere === true) {
    await parts.log.line(`Release ${placing.release} is there: nothing is fetched, and no command is run.`)
    return undefined
  }
  // What was deployed last stays known in its mirror, whatever is only tried meanwhile.
  const environmentInMirror = `${deployment.environment}${parts.asking === undefined ? '' : ' (dry run)'}`
  const kept = { ...deployment, environment: environmentInMirror }
  const checkOut = workspace && checkOutStep(kept, { ...parts.checkouts, workspace, path, variables })
  const { environment, user } = parts.server
  const archive =
    releases?.source &&
    placing &&
    archiveStep(deployment, releases.source, placing, {
      hide: parts.masker.add,
      resolve: parts.resolve,
      environment,
      home: environment['HOME'] ?? user.home,
    })
  const bring = archive ?? checkOut
  if (bring === undefined) return undefined
  const step = placing === undefined ? bring : fetchStep(deployment, placing, bring)
  const failure = await carryOutStep(deployment, step, variables, parts)
  return failure && breakOff(deployment, failure, parts)
}

/** What the work needs that lies in its folder; or why it cannot begin. */
export async function prepareWork(
  deployment: Deployment,
  variables: Variables,
  parts: Begun,
): Promise<Ready | Failure> {
  const { recipe } = deployment
  if (recipe.kind !== 'ansible') return { ofWork: {}, before: [] }
  try {
    const prepared = await preparePlaybookOf(deployment, recipe, variables, parts)
    return 'reason' in prepared ? prepared : { ofWork: prepared.variables, before: prepared.before }
  } catch (thrown) {
    return configFailure(thrown)
  }
}

async function preparePlaybookOf(
  deployment: Deployment,
  recipe: PlaybookRecipe,
  variables: Readonly<Record<string, string>>,
  { folder, masker, log, installed, previousSha, resolve, asking }: RunParts & Pick<Begun, 'folder'>,
): Promise<Prepared | Failure> {
  const own = resolveVariables(recipe.options.extraVars, resolve)
  masker.add(own.secrets)
  const extra = extraVariables(deployment, previousSha, own.values)
  const kept = homeOf(installed, deployment.repository, deployment.environment)
  // What is only asked takes no lane: it installs nothing where a deployment may be installing.
  const home =
    asking === undefined || isInstalled(recipe.options.requirements, kept) ? kept : join(folder, 'installed')
  const prepared = await preparePlaybook(recipe, folder, { variables, extra, home })
  if ('reason' in prepared) return prepared
  masker.add(prepared.secrets)
  if (prepared.before.length > 0) await clear(home)
  for (const note of prepared.notes) await log.line(note)
  return prepared
}
