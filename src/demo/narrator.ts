import { withoutColours } from '../logs/colours.ts'
import type { Delivered } from './github/delivery.ts'
import type { Exchange } from './github-double.ts'
import type { SlackMessage } from './slack-double.ts'

/** Tells the demonstration on a terminal; in colour only where it is one. */
export interface Narrator {
  title(text: string): void
  part(text: string): void
  fact(name: string, text: string): void
  quote(text: string): void
  delivery(event: string, delivery: Delivered): void
  exchange(exchange: Exchange): void
  message(message: SlackMessage): void
  log(url: string, text: string): void
  wrong(text: string): void
  /** Says no more. */
  close(): void
}

const BOLD = 1
const RED = 31
const GREEN = 32
const YELLOW = 33
const BLUE = 36
const GREY = 90

/** Narrates into the stream. */
export function createNarrator(out: NodeJS.WriteStream): Narrator {
  const isColoured = out.isTTY && out.hasColors()
  let isOpen = true
  let parts = 0
  const paint = (code: number, text: string): string =>
    isColoured ? `\u001b[${code}m${text}\u001b[0m` : text
  const write = (line: string): void => {
    if (isOpen) out.write(`${line}\n`)
  }
  const arrow = (from: string, to: string, what: string): void =>
    write(`  ${paint(GREY, `${from} → ${to}`.padEnd(20))} ${what}`)
  const indented = (text: string, mark: string): string =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => `    ${paint(GREY, mark)} ${line}`)
      .join('\n')

  return {
    title: (text) => write(paint(BOLD, text)),
    part: (text) => write(`\n${paint(BOLD, `${(parts += 1)}. ${text}`)}`),
    fact: (name, text) => write(`  ${paint(GREY, name.padEnd(20))} ${text}`),
    quote: (text) => write(indented(text, '│')),
    delivery: (event, { guid, status, body }) =>
      arrow(
        'GitHub',
        'Ferryman',
        `${event}, signed, ${guid}\n${' '.repeat(23)}answered ${paint(status < 300 ? GREEN : RED, String(status))} ${body}`,
      ),
    exchange({ method, path, body, answer }) {
      if (method !== 'POST') return
      if (path.endsWith('/deployments')) {
        const { ref, payload } = Object(body) as { ref: string; payload: { deploy_user?: string } }
        const what = `deployment of ${ref.slice(0, 7)} for ${payload.deploy_user}`
        arrow('Ferryman', 'GitHub', `${paint(BLUE, 'makes a')} ${what} (${answer?.status ?? 'no answer'})`)
      }
      if (!path.endsWith('/statuses')) return
      const { state, description } = Object(body) as { state: string; description: string }
      arrow(
        'Ferryman',
        'GitHub',
        `${paint(colourOf(state), state.padEnd(12))} "${description}" (${answer?.status ?? 'no answer'})`,
      )
    },
    message: ({ text }) => arrow('Ferryman', 'Slack', `"${text ?? ''}"`),
    log(url, text) {
      arrow('you', 'log', url)
      write(indented(isColoured ? text : withoutColours(text), '│'))
    },
    wrong: (text) => write(paint(RED, `did not happen: ${text}`)),
    close() {
      isOpen = false
    },
  }
}

const colourOf = (state: string): number =>
  ({ success: GREEN, failure: RED, error: RED, queued: YELLOW })[state] ?? BLUE
