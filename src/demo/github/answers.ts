import type { ScriptedAnswer } from '../faults.ts'

export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

const DOCS = 'https://docs.github.com/rest'

/** A request that GitHub turns down; carries the answer. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly answer: Answer

  constructor(answer: Answer) {
    super(`${answer.status} ${JSON.stringify(answer.body)}`)
    this.answer = answer
  }
}

/** GitHub's plain error body: a message, where to read on, and the status as text. */
export const refusal = (
  status: number,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): Refusal =>
  new Refusal({ status, headers, body: { message, documentation_url: DOCS, status: String(status) } })

export const notFound = (headers?: Readonly<Record<string, string>>): Refusal =>
  refusal(404, 'Not Found', headers)

export interface FieldError {
  readonly resource: string
  readonly code: string
  readonly field: string
  readonly message?: string
}

/** What GitHub answers to values that it understands and does not take. */
export const validationFailed = (documentation: string, ...errors: readonly FieldError[]): Refusal =>
  new Refusal({
    status: 422,
    body: {
      message: 'Validation Failed',
      errors,
      documentation_url: `${DOCS}/${documentation}`,
      status: '422',
    },
  })

/** What GitHub answers to a body of the wrong shape. */
export const invalidRequest = (documentation: string, message: string): Refusal =>
  new Refusal({
    status: 422,
    body: {
      message: `Invalid request.\n\n${message}`,
      documentation_url: `${DOCS}/${documentation}`,
      status: '422',
    },
  })

/** For `fail`: too many requests in a short time; the rate-limit headers say nothing about it. */
export const secondaryLimit = (retryAfterSeconds?: number): ScriptedAnswer => ({
  status: 403,
  headers: retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) },
  body: {
    message: 'You have exceeded a secondary rate limit. Please wait a few minutes before you try again.',
    documentation_url: `${DOCS}/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits`,
    status: '403',
  },
})
