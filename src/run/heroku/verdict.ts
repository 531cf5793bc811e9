import type { HerokuRecipe } from '../../deployment/recipe.ts'
import type { Failure } from '../step.ts'
import { usefulLine } from '../useful-line.ts'

type Pushed = Pick<HerokuRecipe, 'app' | 'url'> & { readonly sha: string }

/** What Heroku says itself, without what stands in front of it. Pure. */
const saidByHeroku = (lines: readonly string[]): readonly string[] =>
  lines
    .filter((line) => line.startsWith('remote:'))
    .map((line) => line.replace(/^remote:[\s!]*(?:-+>)?\s*/, '').trim())
    .filter((line) => line !== '')

const saidByGit = (lines: readonly string[]): readonly string[] =>
  lines.filter((line) => !line.startsWith('remote:'))

/** Heroku had that commit on its branch already, so that it has built nothing. Pure. */
export const wasThere = (lines: readonly string[]): boolean =>
  saidByGit(lines).includes('Everything up-to-date')

/** What git says where objects are missing or damaged before they are sent: then nothing is taken. */
const NOT_WHOLE =
  /pack-objects died|bad object|unable to read|could not read [0-9a-f]{40}|failed to traverse|loose object|missing (?:blob|tree|commit)|is corrupt|inflate/i
export const isDamaged = (lines: readonly string[]): boolean => notWhole(lines) !== undefined
const notWhole = (lines: readonly string[]): string | undefined =>
  saidByGit(lines).find((line) => NOT_WHOLE.test(line))

/** They say no more than that it has failed. */
const SAYS_NOTHING = /^(?:Build failed|Push failed|Push rejected to .*|Verifying deploy\W*)$/

/** Why git has not pushed, in one sentence with a way out. Pure. */
export function whyNotPushed(lines: readonly string[], { app, url, sha }: Pushed): Failure {
  const short = sha.slice(0, 7)
  const own = saidByGit(lines)
  const line = (shape: RegExp): string | undefined => own.find((one) => shape.test(one))
  const ran = (detail: string): Failure => ({ reason: 'command_failed', detail })
  const unavailable = (detail: string): Failure => ({ reason: 'target_unavailable', detail })
  const broken = notWhole(lines)
  if (broken !== undefined)
    return {
      reason: 'source_unavailable',
      detail: `${short} was not pushed, since its history is not whole: ${broken}. Where its source is shallow, \`git fetch --unshallow\` there mends it`,
    }
  const rejected = line(/^\s*! \[(?:remote )?rejected\]/)
  if (rejected !== undefined) {
    const because = usefulLine(saidByHeroku(lines).filter((one) => !SAYS_NOTHING.test(one)))
    const [, reason = 'no reason was given'] = /\(([^()]*)\)$/.exec(rejected) ?? []
    return ran(`Heroku did not take ${short} for ${app}: ${because === '' ? reason : because}`)
  }
  const unknown = whyNotLetIn(lines, app)
  if (unknown !== undefined) return unavailable(`${unknown} Nothing was pushed.`)
  const lost = line(/hung up unexpectedly|RPC failed|unexpected disconnect|early EOF/)
  if (lost !== undefined)
    return ran(
      `The connection to Heroku broke off while ${short} was pushed to ${app}; ${onItsOwn(app)} (${lost})`,
    )
  const unreachable = line(/unable to access|Could not resolve|Failed to connect|error: 5\d\d\b/)
  if (unreachable !== undefined)
    return unavailable(
      `${url} cannot be reached, and nothing was pushed: ${cause(unreachable)}. Deploy it again when it answers.`,
    )
  return ran(`${short} could not be pushed to ${app}: ${usefulLine(own)}`)
}

/** What is wrong with the key, or with the name of the app, if that is it. Pure. */
export function whyNotLetIn(lines: readonly string[], app: string): string | undefined {
  const says = (shape: RegExp): boolean => saidByGit(lines).some((line) => shape.test(line))
  if (says(/Authentication failed|could not read (?:Username|Password)|error: 40[13]\b/))
    return `Heroku does not take the key for ${app}: put a valid one where heroku.api_key says; \`heroku authorizations:create\` makes it.`
  const isUnknown = says(/^fatal: repository .* not found$|error: 404\b/)
  if (isUnknown || saidByHeroku(lines).some((line) => /^(?:No such app|Not Found)\b/i.test(line)))
    return `Heroku has no app ${app} that this key may see: correct heroku.app, or give the key's account access.`
  return undefined
}

const cause = (line: string): string => line.replace(/^fatal: unable to access '[^']*': /, '')

/** What becomes of a build that nobody here waits for any more. Pure. */
export const onItsOwn = (app: string): string =>
  `what Heroku had begun goes on there by itself, and may be released: \`heroku builds --app ${app}\` shows it, \`heroku builds:cancel --app ${app}\` ends it`

/** Heroku takes a commit before its release command runs, so that git has succeeded although that fails. Pure. */
export function whyNotReleased(lines: readonly string[], { app, sha }: Pushed): Failure | undefined {
  const said = saidByHeroku(lines)
  const end = said.findLastIndex((line) =>
    /^(?:Waiting for release|Running release command)\.* ?failed/.test(line),
  )
  if (end === -1) return undefined
  const begin = said.findLastIndex((line, index) => index < end && line.startsWith('Running release command'))
  const because = usefulLine(said.slice(begin + 1, end))
  return {
    reason: 'command_failed',
    detail: `Heroku built ${sha.slice(0, 7)}, but its release command failed, so that ${app} stays as it was${because === '' ? '' : `: ${because}`}. \`heroku releases:retry --app ${app}\` tries again`,
  }
}
