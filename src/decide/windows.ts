import type { Windows } from '../config/config.ts'
import {
  findClosing,
  findOpening,
  firstStart,
  lastEnd,
  type Edge,
  type Opening,
} from '../schedule/windows.ts'
import { timeIn } from '../schedule/zones.ts'

/** Whether deployments may begin, as an environment's windows say it. Moments in milliseconds since 1970. */
export type WindowAnswer =
  | {
      readonly open: true
      /** The first moment at which they no longer may; undefined: none within sight, 400 days at most. */
      readonly until: number | undefined
    }
  | {
      readonly open: false
      /** The first moment at which they may; undefined: none within sight, 400 days at most. */
      readonly until: number | undefined
      /** Why not, and until when: a sentence for people. */
      readonly detail: string
    }

/**
 * What windows say at this moment: deny wins over allow, the beginning of a window belongs to it, its end does not.
 * Pure; what was found for the same object is remembered until it may change, so that asking again costs nothing.
 */
export function windowAt(windows: Windows | undefined, now: number): WindowAnswer {
  if (windows === undefined) return ALWAYS
  const known = remembered.get(windows)
  if (known !== undefined && known.since <= now && now < known.before) return known.answer
  const found = look(windows, now)
  remembered.set(windows, found)
  return found.answer
}
const ALWAYS: WindowAnswer = { open: true, until: undefined }

/** An answer, and how long it stays true. */
interface Known {
  readonly answer: WindowAnswer
  readonly since: number
  readonly before: number
}
const remembered = new WeakMap<Windows, Known>()

/** Where no edge is within sight, one may come into sight. */
const LOOK_AGAIN_MS = 3_600_000

function look(windows: Windows, now: number): Known {
  const opening = findOpening(windows, now)
  if (opening.isFound && opening.at === now) {
    const until = findClosing(windows, now)
    return { answer: { open: true, until }, since: now, before: until ?? now + LOOK_AGAIN_MS }
  }
  const denied = lastEnd(windows.deny, now)
  const until = opening.isFound ? opening.at : undefined
  // Until it opens, another window may become the reason.
  const reasonsChange = [denied?.at, firstStart(windows.deny, now)?.at].map((at) => at ?? Infinity)
  return {
    answer: { open: false, until, detail: sentenceOf(windows, opening, denied) },
    since: now,
    before: Math.min(until ?? now + LOOK_AGAIN_MS, ...reasonsChange),
  }
}

function sentenceOf({ allow }: Windows, opening: Opening, denied: Edge | undefined): string {
  const { at, isFound, window } = opening
  const when = timeIn(opening.zone, at)
  const reason =
    denied === undefined ? 'Outside its windows' : (denied.window.name ?? 'Denied by its windows')
  if (!isFound) return `${reason}; its windows do not open before ${when}`
  const isNameTrueUntilThen = denied?.window.name === undefined || denied.at === at
  if (!isNameTrueUntilThen) return `${reason}; its windows open ${when}`
  const opened = denied === undefined ? allow.find((one) => one === window)?.name : undefined
  return `${reason} until ${when}${opened === undefined ? '' : ` (${opened})`}`
}
