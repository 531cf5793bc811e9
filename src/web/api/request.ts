import type { FastifyRequest } from 'fastify'
import { z } from 'zod'

import { problem } from '../../errors.ts'
import { cut, oneLine } from '../../logs/one-line.ts'

/**
 * What a schema makes of a part of a request; throws `request_wrong`, which names every field that is wrong. One that
 * is not known is wrong too: where it was to change what is done, something else would be done.
 */
export function read<Shape extends z.ZodType>(shape: Shape, given: unknown): z.output<Shape> {
  const { success, data, error } = shape.safeParse(given ?? {})
  if (success) return data
  const list = error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => `${cut(oneLine(key), MOST_KEY)} (not known here)`)
      : `${issue.path.join('.') || 'the body'} (${issue.message})`,
  )
  throw problem('request_wrong', { list: list.join(', ') })
}

const MOST_KEY = 50

const Person = z.object({
  'ferryman-person': z
    .string({ error: 'the login name of whoever asks' })
    .transform((encoded) => decoded(encoded))
    .refine((name) => /^[^\p{Cc}]{1,100}$/u.test(name) && name.trim() !== '', {
      error: 'the login name of whoever asks',
    }),
})

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return ''
  }
}

/**
 * Who asks: the login name that the command line gives, percent-encoded, since it may hold any letters. Whoever may
 * open the socket is believed.
 */
export const personOf = ({ headers }: FastifyRequest): string => read(Person, headers)['ferryman-person']

const Key = z.object({
  'idempotency-key': z
    .string({ error: 'a text of at most 200 characters' })
    .regex(/^[\x21-\x7e]{1,200}$/, { error: 'at most 200 letters, digits and marks, without white space' })
    .optional(),
})

/** By which a wish is known again when it is sent once more; undefined: every request is a new one. */
export const keyOf = ({ headers }: FastifyRequest): string | undefined =>
  read(Key, headers)['idempotency-key']

/** Why somebody wants something, in their own words. */
export const reasonText = z
  .string({ error: 'a text of at most 1000 characters' })
  .max(1000, { error: 'a text of at most 1000 characters' })

/** A number of ours, in a path or a query. */
export const id = z
  .string()
  .regex(/^\d{1,15}$/, { error: 'a number' })
  .transform(Number)
