import type { Deployment, Recap, StepResult } from '../../deployment/deployment.ts'

/** What a deployment did, one thing after the other, as the answers show it; `null` where there is nothing to say. */
export const stepsShown = ({ steps }: Pick<Deployment, 'steps'>) => steps.map(stepShown)

const stepShown = (step: StepResult) => ({
  name: step.name,
  label: step.label ?? null,
  hook: step.hook ?? null,
  ended: endOf(step),
  exit_code: step.exitCode ?? null,
  signal: step.signal ?? null,
  skipped: step.skipped ?? null,
  note: step.note ?? null,
  seconds: step.seconds,
  recap: step.recap === undefined ? null : recapShown(step.recap),
})

/** In one word, for those who do not want to know how it is told apart. */
function endOf({ action, skipped, exitCode }: StepResult): 'succeeded' | 'failed' | 'skipped' {
  if (skipped !== undefined) return 'skipped'
  return action === 'done' || exitCode === 0 ? 'succeeded' : 'failed'
}

const recapShown = ({ hosts, hostCount, hasReportedCommit }: Recap) => ({
  hosts: hosts.map(({ name, ok, changed, unreachable, failed, problem }) => ({
    name,
    ok,
    changed,
    unreachable,
    failed,
    problem: problem ?? null,
  })),
  host_count: hostCount,
  has_reported_commit: hasReportedCommit,
})
