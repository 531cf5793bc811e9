import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import type { Changes } from '../../src/deployment/changes.ts'
import { brief, changesBlocks } from '../../src/report/changes.ts'
import { githubStatus } from '../../src/report/github-status.ts'
import { deployment, SHA } from '../support/samples.ts'

const FROM = `1234567${'0'.repeat(33)}`
const commit = (title: string, at = 0) => ({ sha: `${at}`.padEnd(40, 'c'), title, author: 'mona' })
const changes = (given: Partial<Changes> = {}): Changes => ({
  from: FROM,
  to: SHA,
  direction: 'forward',
  commitCount: given.commits?.length ?? 1,
  lostCount: 0,
  commits: [commit('Sell tea')],
  pullRequests: [],
  authors: ['mona'],
  ...given,
})
const lines = (given: Partial<Changes>, state: 'succeeded' | 'failed' = 'succeeded'): string[] => {
  const [block] = changesBlocks(deployment({ state, changes: changes(given) }), 'https://github.com')
  return block === undefined ? [] : (block as { text: { text: string } }).text.text.split('\n')
}
const many = (count: number) => Array.from({ length: count }, (_, at) => commit(`Change ${at}`, at + 10))

describe('a success in Slack', () => {
  test('lists the commits that came, with links', () => {
    expect(
      lines({
        commits: [commit('Sell <tea> & milk', 2), commit('Sell coffee', 1)],
        authors: ['mona', 'Ada'],
      }),
    ).toEqual([
      `2 commits since <https://github.com/acme/shop/compare/${FROM}...${SHA}|1234567> by mona, Ada`,
      `• <https://github.com/acme/shop/commit/2${'c'.repeat(39)}|2cccccc> Sell &lt;tea&gt; &amp; milk`,
      `• <https://github.com/acme/shop/commit/1${'c'.repeat(39)}|1cccccc> Sell coffee`,
    ])
  })

  test('lists the pull requests instead, where there are any', () => {
    const commits = [
      commit('Sell tea (#12)', 1),
      commit('Merge pull request #11 from mona/milk', 2),
      commit('Sell milk', 3),
    ]
    const pullRequests = [
      { number: 12, title: 'Sell tea' },
      { number: 11, title: 'Sell milk' },
    ]

    expect(lines({ commits, pullRequests }).slice(1)).toEqual([
      '• <https://github.com/acme/shop/pull/12|#12> Sell tea',
      '• <https://github.com/acme/shop/pull/11|#11> Sell milk',
    ])
  })

  test.each([
    [{ commits: many(17) }, '… and 12 more commits'],
    [{ commits: many(50), commitCount: 320 }, '… and 315 more commits'],
    [{ pullRequests: many(6).map(({ title }, number) => ({ number, title })) }, '… and 1 more pull request'],
    [{ commits: many(50), commitCount: 320, pullRequests: [{ number: 1, title: 'Tea' }] }, '… and more'],
  ])('shows five of them, and says how many more there are %#', (given, last) => {
    const shown = lines(given)

    expect(shown.at(-1)).toBe(last)
    expect(shown.length).toBeLessThanOrEqual(7)
  })

  test('names five authors', () => {
    const authors = ['a', 'b', 'c', 'd', 'e', 'f', 'g']

    expect(lines({ authors })[0]).toContain('by a, b, c, d, e and 2 more')
  })

  test('that goes back, or aside, says so', () => {
    expect(lines({ direction: 'back', commits: many(3) })[0]).toBe(
      `Back by 3 commits from <https://github.com/acme/shop/compare/${SHA}...${FROM}|1234567>. Not there any more:`,
    )
    expect(lines({ direction: 'aside', lostCount: 1 })[0]).toBe(
      `1 commit since <https://github.com/acme/shop/compare/${FROM}...${SHA}|1234567> by mona; 1 commit of before is gone`,
    )
  })

  test('of the same commit, and anything but a success, lists nothing', () => {
    expect(lines({ direction: 'none', commits: [], authors: [] })).toEqual([])
    expect(lines({}, 'failed')).toEqual([])
    expect(changesBlocks(deployment({ state: 'succeeded' }), 'https://github.com')).toEqual([])
  })

  test('lets no title or name forge a link, or leave the size that Slack takes', () => {
    const word = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.constantFrom('<!channel>', '<https://evil.example|ok>', '&lt;', '&'.repeat(200), '<'.repeat(200)),
    )
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 8 }), fc.boolean(), (words, arePulls) => {
        const given = {
          commits: words.map((title, at) => commit(title, at)),
          pullRequests: arePulls ? words.map((title, number) => ({ number, title })) : [],
          authors: words,
        }
        const text = lines(given).join('\n')
        const ours = /<https:\/\/github\.com\/acme\/shop\/(commit|pull|compare)\/[\da-f.]+\|#?\w+>/g

        expect(text.replaceAll(ours, '')).not.toMatch(/[<>]/)
        expect(text.length).toBeLessThanOrEqual(3_000)
        expect(text).not.toMatch(/[^\P{Cc}\n]|[\p{Bidi_Control}\u2028\u2029\ufeff]/u)
      }),
    )
  })
})

test.each([
  [{}, 'Deployed a84d88e (1 commit), in 12 s (acme/shop/production#12)'],
  [
    { direction: 'back', commitCount: 3 },
    'Deployed a84d88e (back by 3 commits), in 12 s (acme/shop/production#12)',
  ],
  [
    { direction: 'aside', commitCount: 2, lostCount: 4 },
    'Deployed a84d88e (2 commits came, 4 went), in 12 s (acme/shop/production#12)',
  ],
  [{ direction: 'none', commitCount: 0 }, 'Deployed a84d88e, in 12 s (acme/shop/production#12)'],
] as const)('the status on GitHub tells what came in a few words: %j', (given, description) => {
  const succeeded = {
    state: 'succeeded',
    startedAt: 1_000,
    finishedAt: 13_400,
    changes: changes(given),
  } as const

  expect(githubStatus(deployment(succeeded), undefined).description).toBe(description)
  expect(brief(changes({ commitCount: 2 }))).toBe('2 commits')
})
