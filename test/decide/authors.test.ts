import { expect, test } from 'vitest'

import { approve, type ApproveParts } from '../../src/decide/approve.ts'
import { FerrymanError } from '../../src/errors.ts'
import { openLooks } from '../support/looking.ts'
import { newDeployment, newMerge } from '../support/samples.ts'

const ANYBODY = { by: undefined, expiresSeconds: 86_400, allowsAuthor: false }
const AWAY = { status: 503, body: { message: 'Unavailable' } } as const

/** A change by octo that bob has asked for by its commit: nothing that came with it says whose it is. */
async function asked(origin: 'deployment' | 'person' = 'deployment', demand = ANYBODY) {
  const looks = await openLooks({ deployOn: 'none', approval: demand })
  const merge = { number: 7, title: 'Sell tea', author: 'octo', by: 'mona', method: 'squash' } as const
  const { sha } = await looks.github.merge('acme/shop', merge)
  const one = await looks.take(newDeployment({ sha, origin, actor: 'bob', creator: 'bob' }))
  const parts: ApproveParts = {
    store: looks.store,
    github: () => looks.client,
    gate: looks.gate,
    environmentOf: () => looks.environment,
    clock: () => 3_000,
    journal: { info() {}, warn() {}, error() {} },
    decided() {},
  }
  const approveBy = (by: string): Promise<string> =>
    approve(one.id, by, parts).then(
      ({ approval }) => `approved by ${approval.by}`,
      (thrown: unknown) => (thrown instanceof FerrymanError ? thrown.code : String(thrown)),
    )
  const holdOf = async (): Promise<string> => {
    const { hold } = (await looks.store.deployment(one.id)) ?? {}
    return hold === undefined ? 'ready' : `${hold.reason}: ${hold.detail}`
  }
  return { ...looks, one, approveBy, holdOf }
}

test.each(['deployment', 'person'] as const)(
  'who wrote the commit that a %s asked for by its id is asked of GitHub, and may not approve it',
  async (origin) => {
    const { one, store, claim, lookAt, approveBy, holdOf } = await asked(origin)

    expect(await claim(2_000)).toBeUndefined()
    expect(await holdOf()).toBe(
      `author_unknown: Whose change ${one.sha.slice(0, 7)} is has yet to be asked of GitHub`,
    )
    await lookAt(2_500, { isQuiet: true })

    expect(await holdOf()).toBe('approval_pending: Waiting for approval by somebody other than bob and octo')
    expect((await store.deployment(one.id))?.authors).toEqual(['octo'])
    expect([await approveBy('Octo'), await approveBy('bob'), await approveBy('ann')]).toEqual([
      'approval_by_author',
      'approval_by_author',
      'approved by ann',
    ])
  },
)

test('an approval that comes before anybody has looked asks GitHub itself', async () => {
  const { github, claim, approveBy, store, one } = await asked()

  expect(await approveBy('octo')).toBe('approval_by_author')
  expect(await approveBy('ann')).toBe('approved by ann')

  expect(github.requests.filter(({ path }) => path.includes('/commits/'))).toHaveLength(2)
  expect((await store.deployment(one.id))?.authors).toEqual(['octo'])
  expect(await claim(4_000)).toMatchObject({ id: one.id, approvedBy: 'ann' })
})

test('while GitHub does not say whose it is nobody may approve it, and an approval opens nothing', async () => {
  const { github, store, one, claim, lookAt, approveBy, holdOf } = await asked()
  await claim(2_000)
  github.fail({ path: /\/commits\//, times: 2, with: AWAY })

  expect(await approveBy('ann')).toBe('authors_unasked')
  await store.approvals.give(one.id, { by: 'octo', at: 2_500, until: 90_000_000 })
  await lookAt(3_000)
  expect(await holdOf()).toMatch(/^github_unavailable: /)
  github.fail({ path: /\/pulls/, with: { status: 403, body: { message: 'Resource not accessible' } } })
  await lookAt(4_000)
  expect(await holdOf()).toBe(
    `github_forbids: GitHub answered 403: Resource not accessible; to see whose change ${one.sha.slice(0, 7)} is the token needs Contents: read and Pull requests: read (classic: repo)`,
  )
  await lookAt(5_000)

  expect(await holdOf()).toMatch(/^approval_pending: The approval by octo, whose it is, does not count/)
  expect(await claim(6_000)).toBeUndefined()
})

test('where authors may approve, GitHub is not asked', async () => {
  const { github, lookAt, claim, approveBy } = await asked('deployment', { ...ANYBODY, allowsAuthor: true })
  await claim(2_000)
  await lookAt(2_500)

  expect(await approveBy('octo')).toBe('approved by octo')
  expect(github.requests).toEqual([])
})

test('a merge commit that was pushed is a change of whoever wrote what it merges', async () => {
  const looks = await openLooks({ deployOn: 'push', approval: ANYBODY })
  const merge = { number: 8, title: 'Sell tea', author: 'octo', by: 'mona', method: 'merge' } as const
  const { sha } = await looks.github.merge('acme/shop', merge)
  await looks.take(newMerge({ sha, origin: 'push', actor: 'mona', authors: ['mona'] }))

  await looks.lookAt(2_000)

  expect((await looks.store.deployment(1))?.hold?.detail).toBe(
    'Waiting for approval by somebody other than mona and octo',
  )
})
