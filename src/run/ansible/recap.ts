import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

import { z } from 'zod'

import type { HostResult, Recap } from '../../deployment/deployment.ts'
import { usefulLine } from '../useful-line.ts'

/** What is known of a playbook after its end. */
export type Account =
  /** Not even its first play began. */
  | { readonly kind: 'not_begun' }
  /** It began, and Ansible ended before it could say how the hosts fared. */
  | { readonly kind: 'broken_off' }
  | {
      readonly kind: 'complete'
      readonly recap: Recap
      /** Whether a play found a host, be it one for which it had nothing to do. */
      readonly isMatched: boolean
      /** Every full commit id that the playbook reported. */
      readonly commits: readonly string[]
    }

/** Where our plugin writes, in the private folder of the run. */
export const recapFile = (folder: string): string => join(folder, 'recap.json')

/** Reads what our plugin wrote; `mask` is applied to every text of it. */
export async function readAccount(folder: string, mask: (text: string) => string): Promise<Account> {
  const text = await readFile(recapFile(folder), 'utf8').catch(() => undefined)
  if (text === undefined) return { kind: 'not_begun' }
  const { hosts, commits, matched: isMatched } = Written.parse(JSON.parse(text)) // its plugin is ours, and writes all or nothing
  if (hosts === null) return { kind: 'broken_off' }
  const all = hosts.map((host) => hostResult(host, mask)).toSorted(byTrouble)
  const full = commits.filter((one) => FULL_COMMIT.test(one))
  return {
    kind: 'complete',
    recap: {
      hosts: all.slice(0, MOST_HOSTS),
      hostCount: all.length,
      hasReportedCommit: full.length > 0,
    },
    isMatched,
    commits: full,
  }
}

/** `web1: failed=1: the useful line`, as Ansible writes its recap. */
export const troubleOf = ({ name, failed, unreachable, problem }: HostResult): string =>
  [
    name,
    failed > 0 ? `failed=${failed}` : `unreachable=${unreachable}`,
    ...(problem === undefined ? [] : [problem]),
  ].join(': ')

/** The recap as lines for people, those in trouble first; of very many hosts only the first. */
export function recapLines({ hosts, hostCount }: Recap): string[] {
  const shown = hosts.slice(0, MOST_LINES)
  const lines = shown.map((host) =>
    isInTrouble(host) ? troubleOf(host) : `${host.name}: ok=${host.ok} changed=${host.changed}`,
  )
  return hostCount > shown.length ? [...lines, `… and ${hostCount - shown.length} more hosts`] : lines
}

export const isInTrouble = ({ failed, unreachable }: HostResult): boolean => failed > 0 || unreachable > 0

const FULL_COMMIT = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/
const MOST_LINES = 20
const MOST_HOSTS = 500
const LONGEST_NAME = 255
const LONGEST_PROBLEM = 500

const Words = z.partialRecord(
  z.enum(['msg', 'reason', 'stderr', 'stdout', 'module_stderr', 'module_stdout']),
  z.string(),
)
const Host = z.object({
  name: z.string(),
  ok: z.number(),
  changed: z.number(),
  unreachable: z.number(),
  failed: z.number(),
  problem: Words.nullable(),
})
const Written = z.object({
  hosts: z.array(Host).nullable(),
  commits: z.array(z.string()),
  matched: z.boolean(),
})

function hostResult(
  { problem, ...counts }: z.infer<typeof Host>,
  mask: (text: string) => string,
): HostResult {
  const host = { ...counts, name: mask(counts.name).slice(0, LONGEST_NAME) }
  const line =
    problem === null || !isInTrouble(host) ? '' : mask(problemLine(problem)).slice(0, LONGEST_PROBLEM)
  return line === '' ? host : { ...host, problem: line.toWellFormed() }
}

/** Ansible's own sentence, unless it only says that there was a failure: then what the command wrote. */
function problemLine({ msg, reason = '', ...outputs }: z.infer<typeof Words>): string {
  const own = usefulLine((msg ?? reason).split('\n'))
  if (own !== '' && !SAYS_NOTHING.test(own)) return own
  const { stderr, module_stderr: moduleStderr, stdout, module_stdout: moduleStdout } = outputs
  const lines = [stderr, moduleStderr, stdout, moduleStdout].map((text) =>
    usefulLine((text ?? '').split('\n')),
  )
  return lines.find((line) => line !== '') ?? own
}

const SAYS_NOTHING = /^(?:non-zero return code|MODULE FAILURE|One or more items failed|All items completed)/

const byTrouble = (one: HostResult, other: HostResult): number =>
  weight(other) - weight(one) || (one.name < other.name ? -1 : 1)

const weight = ({ failed, unreachable }: HostResult): number => (failed > 0 ? 2 : unreachable > 0 ? 1 : 0)
