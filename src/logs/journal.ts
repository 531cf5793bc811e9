import { FerrymanError } from '../errors.ts'
import { cut, oneLine } from './one-line.ts'
import type { Masker } from './redact.ts'

/** The server's own log: one event, one line. No method ever throws. */
export interface Journal {
  readonly info: Write
  readonly warn: Write
  readonly error: Write
}

/** `noun:verb`, such as `deployment:claimed`, and flat fields; undefined ones are left out. */
type Write = (event: `${string}:${string}`, fields?: Readonly<Record<string, unknown>>) => void

export interface JournalParts {
  /** Takes one whole line, with its line break. */
  readonly write: (line: string) => void
  readonly masker: Masker
  /** Milliseconds since 1970. */
  readonly clock: () => number
  /** For people: `10:54:00 deployment:claimed deployment=acme/shop/production#12`, in UTC. Otherwise JSON. */
  readonly pretty: boolean
  readonly colour: boolean
}

type Level = 'info' | 'warn' | 'error'
interface Entry {
  readonly time: Date
  readonly level: Level
  readonly event: string
  readonly fields: readonly Field[]
}
type Field = readonly [name: string, value: Plain]
type Plain = string | number | boolean | null

/** Makes a journal that masks every secret; no line can be forged through a field. */
export function createJournal({ write, masker, clock, pretty, colour }: JournalParts): Journal {
  const at =
    (level: Level): Write =>
    (event, fields = {}) => {
      try {
        const plain = Object.entries(fields).flatMap(([name, value]) => plainFields(name, value, masker))
        const entry = { time: new Date(clock()), level, event, fields: plain }
        write(`${pretty ? prettyLine(entry, colour) : jsonLine(entry)}\n`)
      } catch {
        // Nowhere is left to say it, and the work that told us goes on.
      }
    }
  return { info: at('info'), warn: at('warn'), error: at('error') }
}

const LONGEST_FIELD = 2000

function plainFields(name: string, value: unknown, masker: Masker): readonly Field[] {
  if (value === undefined) return []
  if (!(value instanceof Error)) return [[name, plain(value, masker)]]
  const code: unknown = Reflect.get(value, 'code')
  const isExpected = value instanceof FerrymanError
  return [
    [name, plain(value.message || value.name, masker)],
    ...(code === undefined ? [] : [[`${name}_code`, plain(code, masker)] as const]),
    ...(isExpected ? [] : [[`${name}_stack`, plain(value.stack ?? '', masker)] as const]),
  ]
}

function plain(value: unknown, masker: Masker): Plain {
  if (value === null || typeof value === 'boolean') return value
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value)
  return cut(masker.mask(textOf(value)), LONGEST_FIELD)
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value === 'bigint' || typeof value === 'symbol') return value.toString()
  try {
    const nested = (_: string, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : inner)
    return JSON.stringify(value, nested) ?? ''
  } catch {
    return '[cannot be written]'
  }
}

/** JSON spells out line breaks and most controls by itself; `oneLine` does it for those it leaves. */
function jsonLine({ time, level, event, fields }: Entry): string {
  const own = { time: time.toISOString(), level, event }
  const others = fields.map(([name, value]) => [name in own ? `${name}_` : name, value])
  return oneLine(JSON.stringify({ ...own, ...Object.fromEntries(others) }))
}

function prettyLine({ time, level, event, fields }: Entry, colour: boolean): string {
  const paint = (code: number, text: string) => (colour ? `\u001b[${code}m${text}\u001b[39m` : text)
  const words = fields.map(([name, value]) => `${paint(GREY, `${oneLine(name)}=`)}${prettyValue(value)}`)
  const clockTime = time.toISOString().slice(11, 19)
  return [paint(GREY, clockTime), paint(COLOURS[level], oneLine(event)), ...words].join(' ')
}

const GREY = 90
const COLOURS = { info: 36, warn: 33, error: 31 } as const satisfies Record<Level, number>

const prettyValue = (value: Plain): string =>
  typeof value === 'string' && !/^[^\s"=]+$/.test(value)
    ? oneLine(JSON.stringify(value))
    : oneLine(String(value))
