import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { createMirrors } from '../../../src/run/workspace/mirrors.ts'
import { temporaryFolder } from '../../support/running.ts'

const wait = (signal = new AbortController().signal) => ({ signal, waiting() {} })

test('one works on a mirror at a time, in the order of asking', async () => {
  const { alone } = createMirrors('/mirrors')
  const first = Promise.withResolvers<void>()
  const done: string[] = []

  const all = Promise.all([
    alone('a', () => first.promise.then(() => done.push('first')), wait()),
    alone('a', async () => done.push('second'), wait()),
    alone('b', async () => done.push('elsewhere'), wait()),
    alone('a', async () => done.push('third'), wait()),
  ])
  await Promise.resolve()
  first.resolve()
  await all

  expect(done).toEqual(['elsewhere', 'first', 'second', 'third'])
})

test('who does not want to wait any longer does nothing, and lets nobody pass who works', async () => {
  const { alone } = createMirrors('/mirrors')
  const first = Promise.withResolvers<string>()
  const ending = new AbortController()
  const done: string[] = []
  const working = alone('a', () => first.promise)
  const given = alone('a', async () => done.push('given up'), wait(ending.signal))
  const next = alone('a', async () => done.push('next'), wait())

  ending.abort()

  expect(await given).toBeUndefined()
  expect(done).toEqual([])
  first.resolve('first')
  expect(await working).toBe('first')
  await next
  expect(done).toEqual(['next'])
})

test('work that fails is over all the same', async () => {
  const { alone } = createMirrors('/mirrors')
  const failing = alone('a', () => Promise.reject(new Error('no')))

  await expect(failing).rejects.toThrow('no')
  expect(await alone('a', async () => 'next')).toBe('next')
})

test('mirrors of what is no longer configured are removed', async () => {
  const directory = temporaryFolder()
  const { pathOf, keepOnly } = createMirrors(directory)
  for (const name of ['acme/shop', 'acme/blog']) mkdirSync(join(pathOf(name), 'objects'), { recursive: true })

  await keepOnly(['Acme/Shop'])

  expect(existsSync(pathOf('acme/shop'))).toBe(true)
  expect(existsSync(pathOf('acme/blog'))).toBe(false)
})
