import type { FastifyRequest } from 'fastify'
import { describe, expect, test } from 'vitest'

import { personOf } from '../../src/web/api/request.ts'

const asked = (person?: string) =>
  personOf({ headers: { 'ferryman-person': person } } as unknown as FastifyRequest)

describe('who asks through the socket', () => {
  test.each(['mona', 'Jürgen Müller', 'DOMAIN\\mona', '中村'])('may be called %s', (name) => {
    expect(asked(encodeURIComponent(name))).toBe(name)
  })

  test.each([undefined, '', '%20', 'a'.repeat(101), '%0a', 'mona%1b[2J', '%e4'])(
    'is not called %s',
    (given) => {
      expect(() => asked(given)).toThrow('ferryman-person (')
    },
  )
})
