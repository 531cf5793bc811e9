import type { HostResult } from '../../deployment/deployment.ts'
import { usefulLine } from '../useful-line.ts'
import type { Hindrance } from './playbook.ts'
import { isInTrouble, troubleOf, type Account } from './recap.ts'

export interface PlaybookEnd {
  readonly exitCode: number | undefined
  readonly signal: string | undefined
  readonly account: Account
  /** The last lines of its output. */
  readonly lines: readonly string[]
  /** Whether tags say that only a part of it is to be run. */
  readonly hasTags: boolean
}

/**
 * Why a playbook was no success, if it was none. Exit codes alone do not tell: 0 is also what a playbook gives
 * that found no host, and 2 and 4 each mean two things. Pure.
 */
export function playbookFailure({
  exitCode,
  signal,
  account,
  lines,
  hasTags,
}: PlaybookEnd): Hindrance | undefined {
  if (account.kind === 'complete' && account.recap.hostCount === 0 && exitCode === 0)
    return {
      reason: 'no_hosts_matched',
      // Ansible counts no host for which there was nothing to do.
      detail: `${account.isMatched ? nothingToDo(hasTags) : 'No host matched'}, so the playbook did nothing.`,
    }
  if (exitCode === 0)
    return account.kind === 'complete'
      ? undefined
      : { reason: 'ansible_failed', detail: 'ansible-playbook ended without telling how its hosts fared.' }
  if (account.kind === 'complete' && exitCode !== undefined) {
    const troubled = account.recap.hosts.filter(isInTrouble)
    if (troubled.length > 0) return failureOfHosts(troubled, account.recap.hostCount)
  }
  const how = exitCode === undefined ? `was ended by ${signal ?? 'a signal'}` : `exited with ${exitCode}`
  const line = errorLine(lines)
  const detail = `ansible-playbook ${how}${line === '' ? '' : `: ${line}`}`
  if (account.kind !== 'not_begun') return { reason: 'playbook_failed', detail }
  return exitCode === PARSER_ERROR
    ? { reason: 'playbook_invalid', detail: `The playbook cannot be read: ${placeIn(lines)}${line}` }
    : { reason: 'ansible_failed', detail }
}

const nothingToDo = (hasTags: boolean): string =>
  `There was no task to run on the hosts that matched${hasTags ? ' (see tags and skip_tags)' : ''}`

/** What Ansible itself calls an error, also where warnings stand before it. */
function errorLine(lines: readonly string[]): string {
  const empty = lines.findIndex((line) => SAYS_NOTHING.has(line.replace(ERROR, '')))
  if (empty !== -1) return lines[empty + 1]?.trim() ?? ''
  return (lines.find((line) => ERROR.test(line)) ?? usefulLine(lines)).replace(ERROR, '')
}

/** They say only that there is an error; what it is stands in the next line. */
const SAYS_NOTHING: ReadonlySet<string> = new Set([
  'Syntax Error while loading YAML.',
  'Unable to retrieve file contents',
])

const ERROR = /^\[?ERROR(?:\]:|!)\s*/

/** `tasks/main.yml:3:6: `, where Ansible says it: a status has no room for the whole path. */
function placeIn(lines: readonly string[]): string {
  const [, file, line, column] =
    lines
      .map((one) => /^The error appears to be in '(.+)': line (\d+), column (\d+)/.exec(one))
      .find((one) => one !== null) ?? []
  return file === undefined ? '' : `${file.split('/').slice(-2).join('/')}:${line}:${column}: `
}

/** Before the first play: YAML, modules and variables that Ansible cannot make sense of. */
const PARSER_ERROR = 4

function failureOfHosts(troubled: readonly HostResult[], of: number): Hindrance {
  const failed = troubled.filter((host) => host.failed > 0).length
  const unreachable = troubled.length - failed
  const counts = [
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(unreachable > 0 ? [`${unreachable} unreachable`] : []),
  ]
  const [first] = troubled.map(troubleOf)
  return {
    reason: failed > 0 ? 'playbook_failed' : 'unreachable',
    detail: troubled.length === 1 ? `${first}` : `Of ${of} hosts ${counts.join(', ')}. ${first}`,
  }
}
