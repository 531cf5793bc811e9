import { setImmediate as turn } from 'node:timers/promises'

import { expect, onTestFinished, test } from 'vitest'

import type { EnvironmentConfig, Poll } from '../../src/config/config.ts'
import type { SourceVersion } from '../../src/deployment/source.ts'
import { startPoller } from '../../src/receive/poller.ts'
import { environmentConfig, SHA } from '../support/samples.ts'

const MINUTE = 60_000
const NOON = Date.UTC(2026, 0, 5, 12)
const VERSION: SourceVersion = { sha: SHA, ref: 'main', branch: 'main' }

const shop = (name = 'shop', poll: Poll = { everySeconds: 60 }): EnvironmentConfig =>
  environmentConfig({ repository: `acme/${name}`, via: 'none', poll })

type Answer = SourceVersion | { readonly why: string }

/** A poller whose time goes on only when it is told to. */
function polling(
  environments: readonly EnvironmentConfig[],
  answers: (Answer | Promise<Answer>)[] | ((repository: string) => Answer | Promise<Answer>) = [],
) {
  let passed = 0
  let clockLead = NOON
  let alarm: { at: number; call: () => void } | undefined
  const asked: string[] = []
  const taken: string[] = []
  const said: string[] = []
  const say = (event: string, fields: object = {}): void =>
    void said.push([event, ...Object.values(fields)].join(' '))
  const poller = startPoller({
    environments: () => environments,
    ask: async ({ repository }) => {
      asked.push(repository)
      return typeof answers === 'function' ? answers(repository) : (answers.shift() ?? VERSION)
    },
    take: async ({ repository }, { sha }) => void taken.push(`${repository} ${sha.slice(0, 7)}`),
    clock: () => clockLead + passed,
    steady: () => passed,
    random: () => 0,
    after(ms, call) {
      alarm = { at: passed + ms, call }
      return () => (alarm = undefined)
    },
    journal: { info: say, warn: say, error: say },
  })
  onTestFinished(() => void poller.stop())
  /** Lets time pass, and what falls due in it happen. */
  const pass = async (ms: number): Promise<void> => {
    const until = passed + ms
    await turn()
    while (alarm !== undefined && alarm.at <= until) {
      const { at, call } = alarm
      alarm = undefined
      passed = at
      call()
      await turn()
    }
    passed = until
  }
  const setClock = (at: number): void => void (clockLead = at - passed)
  return { poller, asked, taken, said, pass, setClock }
}

test('a source is asked at once, and then as often as was said', async () => {
  const { asked, taken, pass } = polling([shop()])

  await pass(MINUTE - 1)
  expect(asked).toEqual(['acme/shop', 'acme/shop']) // what is new is asked for once more
  expect(taken).toEqual(['acme/shop a84d88e'])
  await pass(2 * MINUTE)
  expect(asked).toHaveLength(4)
  expect(taken).toHaveLength(3)
})

test('what has another version each time is never deployed, and is told of once', async () => {
  const { poller, taken, said, pass } = polling(
    [shop()],
    ['1', '2', '3', '4', '5', '6'].map((digit) => ({ ...VERSION, sha: digit.repeat(40) })),
  )

  await pass(2 * MINUTE + 1)
  expect(taken).toEqual([])
  expect(said).toEqual([expect.stringMatching(/source:unavailable .* told another version a moment later/)])
  await pass(MINUTE)
  expect(taken).toEqual(['acme/shop a84d88e'])
  expect(poller.problemOf(shop())).toBeUndefined()
})

test('a source that takes its time is asked less often', async () => {
  const late = Promise.withResolvers<{ why: string }>()
  const { asked, pass } = polling([shop()], [late.promise])

  await pass(MINUTE / 2)
  late.resolve({ why: 'no answer within 30 s' })
  await pass(4 * MINUTE + MINUTE / 2 - 1)
  expect(asked).toHaveLength(1)
  await pass(2)
  expect(asked).toHaveLength(3)
})

test('what does not tell is said once, until it tells again; it is no version', async () => {
  const { poller, taken, said, pass } = polling([shop()], [{ why: '500' }, { why: '500' }, { why: '404' }])

  await pass(0)
  expect(poller.problemOf(shop())).toBe('500')
  await pass(2 * MINUTE)
  expect(taken).toEqual([])
  expect(said).toEqual([
    'source:unavailable acme/shop/production 500',
    'source:unavailable acme/shop/production 404',
  ])
  await pass(MINUTE)
  expect(said.at(-1)).toBe('source:available acme/shop/production')
  expect(poller.problemOf(shop())).toBeUndefined()
  expect(taken).toHaveLength(1)
})

test('what has a cron expression is asked at a start, and then once each time that this comes', async () => {
  const { asked, pass, setClock } = polling([shop('shop', { cron: '5,10 * * * *', zone: 'UTC' })])

  await pass(5 * MINUTE - 1)
  expect(asked).toHaveLength(2)
  await pass(2)
  expect(asked).toHaveLength(3)
  await pass(4 * MINUTE)
  expect(asked).toHaveLength(3)
  await pass(MINUTE)
  expect(asked).toHaveLength(4)
  setClock(NOON - 60 * MINUTE)
  await pass(60 * MINUTE)
  expect(asked).toHaveLength(6)
})

test('of many sources few are asked at once, and one that is slow holds up no other', async () => {
  const slow = Promise.withResolvers<SourceVersion>()
  const names = Array.from({ length: 12 }, (_, index) => `shop${index}`)
  const { asked, pass } = polling(
    names.map((name) => shop(name)),
    [slow.promise, slow.promise, slow.promise],
  )

  await pass(0)
  expect(new Set(asked).size).toBe(4)
  await pass(MINUTE / 2)
  expect(asked).toHaveLength(3 + 9 * 2)
  await pass(MINUTE / 2 + 1000)
  expect(asked).toHaveLength(3 + 9 * 3)
  slow.resolve(VERSION)
})

test('however many do not tell, and hang, the others are asked when it is time', async () => {
  const names = [...Array.from({ length: 8 }, (_, index) => `hanging${index}`), 'fine']
  const seen = new Set<string>()
  const { asked, pass } = polling(
    names.map((name) => shop(name)),
    (repository) => {
      if (repository === 'acme/fine') return VERSION
      if (seen.has(repository)) return new Promise<Answer>(() => {})
      seen.add(repository)
      return { why: '500' }
    },
  )

  await pass(1_000)
  await pass(5 * MINUTE)
  expect(asked.filter((one) => one === 'acme/fine')).toHaveLength(2 + 5)
  expect(asked.filter((one) => one !== 'acme/fine')).toHaveLength(8 + 2)
})

test('what may mean something else since it was asked for is not taken, and asked for once more', async () => {
  const slow = Promise.withResolvers<SourceVersion>()
  const environments = [shop()]
  const { poller, asked, taken, said, pass } = polling(environments, [slow.promise])

  await pass(0)
  poller.startOver()
  slow.resolve({ ...VERSION, sha: 'b'.repeat(40) })
  await pass(1)
  expect(asked).toHaveLength(3)
  expect(taken).toEqual(['acme/shop a84d88e'])
  expect(said).toEqual([])
})

test('what is removed while it is asked for is not taken', async () => {
  const slow = Promise.withResolvers<SourceVersion>()
  const environments = [shop()]
  const { poller, taken, pass } = polling(environments, [slow.promise])

  await pass(0)
  environments.length = 0
  slow.resolve(VERSION)
  await pass(0)
  poller.startOver()
  await pass(MINUTE)
  expect(taken).toEqual([])
})
