import { secretsSaid } from '../config/values.ts'
import type { Deployment } from '../deployment/deployment.ts'
import type { Recipe } from '../deployment/recipe.ts'
import type { Begun } from './parts.ts'
import type { Failure } from './step.ts'
import { compile, type CompileFacts, type Runbook } from './steps.ts'
import { commitBefore, folderBefore, switchStep, wayBackOf, type Placing } from './place-release.ts'
import { recipeOfCommit, variablesOfCommit, withVariables } from './repository-file.ts'

type Variables = Readonly<Record<string, string>>

/** What is carried out, and with which variables. */
export interface Plan {
  readonly deployment: Deployment
  readonly runbook: Runbook
  readonly variables: Variables
  /** The same when it is in place. */
  readonly inPlace: Variables
}

/** The plan with what a file of the commit says of it, where the configuration lets it. */
export async function hearCommit(
  plan: Plan,
  { facts, placing }: { readonly facts: CompileFacts; readonly placing: Placing | undefined },
  begun: Begun,
): Promise<Plan | Failure> {
  const { log, checkouts } = begun
  const { variables, runbook, deployment: given } = plan
  const { workspace } = facts
  if (workspace === undefined) return plan
  // A release has no history of its own any more.
  const repository = placing?.isThere === true ? checkouts.mirrors.pathOf(given.configuredAs) : workspace
  const place = { repository, workspace, path: variables['PATH'] ?? '', tell: log.line }
  const recipe = await recipeOfCommit(given, place)
  if ('reason' in recipe) {
    if (placing?.isThere !== true) return recipe
    await log.line(
      `${recipe.detail} Release ${placing.release} is there all the same, with what the configuration of the server says.`,
    )
    return plan
  }
  if (recipe === given.recipe) return plan
  const deployment = { ...given, recipe }
  const compiled = compile(deployment, facts)
  if ('reason' in compiled) return compiled
  const own = variablesOfCommit(recipe, given.recipe)
  hide(own, begun)
  const { activate, wayBack } = runbook
  return { ...plan, deployment, runbook: { ...withVariables(compiled, own, recipe), activate, wayBack } }
}

/** What a commit calls a password is masked as long as the run: its words are nothing for the logs of others. */
function hide(own: Variables, { masker, lent }: Begun): void {
  const secrets = Object.entries(own).flatMap(([name, text]) => secretsSaid(name, text))
  lent.push(...secrets.map((secret) => masker.lend(secret)))
}

/**
 * The plan for the way back: its hooks are run in what has come back, and told of that. In the release that is not good
 * they would start just that again. What the commit of what comes back says itself counts, as far as that is known.
 */
export async function planBack(
  plan: Plan,
  { facts, placing, configured }: { facts: CompileFacts; placing: Placing; configured: Deployment },
  begun: Begun,
): Promise<Plan> {
  const { log, checkouts } = begun
  const workspace = folderBefore(placing)
  const there = <Any extends Recipe>(recipe: Any): Any => inFolder(recipe, placing.folder, workspace)
  const base = there(configured.recipe)
  const sha = base.inRepository && (await commitBefore(placing))
  let recipe = there(plan.deployment.recipe)
  if (sha !== undefined) {
    const repository = checkouts.mirrors.pathOf(configured.configuredAs)
    const place = { repository, workspace, path: plan.variables['PATH'] ?? '', tell: log.line }
    const heard = await recipeOfCommit({ ...configured, recipe: base, sha }, place)
    if ('reason' in heard) await log.line(`${heard.detail} What this deployment has heard counts instead.`)
    else recipe = heard
  }
  const deployment = { ...plan.deployment, recipe }
  const compiled = compile(deployment, { ...facts, workspace })
  const own = variablesOfCommit(recipe, base)
  hide(own, begun)
  const { verify } = 'reason' in compiled ? plan.runbook : withVariables(compiled, own, recipe)
  const told = { FERRYMAN_RELEASE: workspace, FERRYMAN_WORKSPACE: workspace, PREVIOUS_CONFIG: '' }
  return {
    ...plan,
    deployment,
    runbook: { ...plan.runbook, verify },
    variables: { ...plan.inPlace, ...told },
  }
}

/** The recipe in another folder instead of this one. */
const inFolder = <Any extends Recipe>(recipe: Any, from: string, to: string): Any =>
  `${recipe.folder}/`.startsWith(`${from}/`)
    ? { ...recipe, folder: `${to}${recipe.folder.slice(from.length)}` }
    : recipe

/** What puts the release in place, and what takes it back again. */
export const placingSteps = (
  placing: Placing | undefined,
): Pick<Runbook, 'activate' | 'wayBack'> | undefined =>
  placing && {
    activate: [switchStep(placing)],
    wayBack: wayBackOf(placing),
  }
