import { oneLine, truncate } from './text.ts'

/** Most characters that a section holds. */
export const MOST_SECTION = 3_000

/** `verbatim`: words from outside become no links and no mentions by themselves. */
export const mrkdwn = (text: string) => ({ type: 'mrkdwn', text, verbatim: true })
export const section = (text: string) => ({ type: 'section', text: mrkdwn(text) })

/**
 * Text from outside for `mrkdwn`: only these three characters have a meaning that can be taken away
 * (https://docs.slack.dev/messaging/formatting-message-text). Cut before it is escaped, never inside an entity.
 */
export const escape = (text: string, most: number): string => escapeAll(truncate(oneLine(text), most))

/** Inside a code span a backtick cannot be escaped. */
export const code = (text: string, most: number): string => `\`${escape(text.replaceAll('`', "'"), most)}\``

/** Several lines as they are. */
export const codeBlock = (text: string): string => `\`\`\`${escapeAll(text)}\`\`\``

/** The address is cleaned; the label must be ours, or escaped. */
export const link = (url: string, label: string): string =>
  `<${url.replaceAll(/[<>|\s]/g, encodeURIComponent)}|${label}>`

const escapeAll = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
