import { expect, test } from 'vitest'

import { ask, post, shopAtGitHub } from '../../support/doubles.ts'
import { createWebhookCheck } from '../../support/openapi.ts'

const SHOP = 'acme/shop'
const NO_COMMIT = '0'.repeat(40)
const [TEA, COFFEE, MILK] = ['b'.repeat(40), 'c'.repeat(40), 'd'.repeat(40)] as const
const NOWHERE = { url: 'http://127.0.0.1:1', events: ['*'] }

const wrongPayload = createWebhookCheck()

/** The shop with a hook that hears everything; nobody has to answer. */
async function hookedShop() {
  const { github, sha } = await shopAtGitHub()
  github.addHook(SHOP, NOWHERE)
  const payloads = () => github.deliveries.map(({ request }) => request.payload)
  return {
    github,
    sha,
    payloads,
    events: () =>
      github.deliveries.map(({ event, action }) => (action === null ? event : `${event} ${action}`)),
    complaints: () => github.deliveries.flatMap(({ event, request }) => wrongPayload(event, request.payload)),
    history: async (from: string, to = 'main') =>
      Reflect.get(
        Object((await ask(github, `/repos/${SHOP}/compare/${from}...${to}`)).body),
        'commits',
      ) as readonly { sha: string; commit: { message: string }; parents: { sha: string }[] }[],
  }
}

const request = { number: 7, title: 'Sell tea', author: 'mona' } as const
const twoCommits = [
  { sha: TEA, message: 'Sell tea' },
  { sha: COFFEE, message: 'Sell coffee' },
]

test('a push puts commits onto the branch and is told', async () => {
  const { github, sha, payloads, complaints } = await hookedShop()

  const { commits, deliveries } = await github.push(SHOP, [...twoCommits, { message: 'Sell milk' }], {
    by: 'hubot',
  })

  const after = commits.at(-1)?.sha
  expect(after).toMatch(/^[0-9a-f]{40}$/)
  expect(deliveries).toHaveLength(1)
  expect(payloads()).toMatchObject([
    {
      ref: 'refs/heads/main',
      before: sha,
      after,
      created: false,
      deleted: false,
      forced: false,
      commits: [{ id: TEA, distinct: true }, { id: COFFEE }, { id: after }],
      head_commit: { id: after, message: 'Sell milk' },
      sender: { login: 'hubot' },
    },
  ])
  expect((await ask(github, `/repos/${SHOP}/branches/main`)).body).toMatchObject({ commit: { sha: after } })
  expect(complaints()).toEqual([])
})

test('a new branch begins at the default one, and is told twice; so is one that is deleted', async () => {
  const { github, sha, events, payloads, complaints } = await hookedShop()

  await github.push(SHOP, [{ sha: TEA, message: 'Sell tea' }], { branch: 'tea' })
  await github.deleteBranch(SHOP, 'tea')

  expect(events()).toEqual(['push', 'create', 'push', 'delete'])
  expect(payloads()).toMatchObject([
    { ref: 'refs/heads/tea', before: NO_COMMIT, after: TEA, created: true, commits: [{ id: TEA }] },
    { ref: 'tea', ref_type: 'branch', master_branch: 'main' },
    { before: TEA, after: NO_COMMIT, deleted: true, commits: [], head_commit: null },
    { ref: 'tea', ref_type: 'branch' },
  ])
  expect(await ask(github, `/repos/${SHOP}/commits/${TEA}`)).toMatchObject({
    body: { parents: [{ sha }] },
  })
  expect(complaints()).toEqual([])
})

test('a forced push sets the branch back first', async () => {
  const { github, sha, payloads, complaints } = await hookedShop()
  await github.push(SHOP, twoCommits)

  await github.push(SHOP, [{ sha: MILK, message: 'Sell milk' }], { force: sha })
  await github.push(SHOP, [], { force: sha })

  expect(payloads().slice(1)).toMatchObject([
    { before: COFFEE, after: MILK, forced: true, commits: [{ id: MILK }] },
    { before: MILK, after: sha, forced: true, commits: [], head_commit: { id: sha } },
  ])
  expect(complaints()).toEqual([])
})

test('a merge is a commit with two parents; the push is told first, then the pull request', async () => {
  const { github, sha, events, payloads, complaints, history } = await hookedShop()

  const merged = await github.merge(SHOP, {
    ...request,
    method: 'merge',
    by: 'hubot',
    commits: twoCommits,
    shas: [MILK],
  })

  expect(merged).toMatchObject({ sha: MILK, commits: [{ sha: MILK, parents: [sha, COFFEE] }] })
  expect(events()).toEqual(['push', 'pull_request closed'])
  expect(payloads()).toMatchObject([
    {
      before: sha,
      after: MILK,
      commits: [{ id: TEA, distinct: false }, { id: COFFEE }, { id: MILK, distinct: true }],
      head_commit: { message: 'Merge pull request #7 from acme/change-7\n\nSell tea' },
      sender: { login: 'hubot' },
    },
    {
      number: 7,
      pull_request: {
        merged: true,
        merge_commit_sha: MILK,
        merged_by: { login: 'hubot' },
        user: { login: 'mona' },
        commits: 2,
        base: { ref: 'main', sha, repo: { id: 17 } },
        head: { ref: 'change-7', sha: COFFEE, repo: { id: 17 } },
      },
      sender: { login: 'hubot' },
    },
  ])
  expect((await history(sha)).map((commit) => commit.sha)).toEqual([TEA, COFFEE, MILK])
  expect(complaints()).toEqual([])
})

test('a squash is one new commit', async () => {
  const { github, sha, payloads, complaints, history } = await hookedShop()

  const merged = await github.merge(SHOP, { ...request, method: 'squash', commits: twoCommits })

  expect(await history(sha)).toMatchObject([
    { sha: merged.sha, commit: { message: 'Sell tea (#7)' }, parents: [{ sha }] },
  ])
  expect(payloads()).toMatchObject([
    { commits: [{ id: merged.sha }] },
    { pull_request: { merge_commit_sha: merged.sha, head: { sha: COFFEE } } },
  ])
  expect(complaints()).toEqual([])
})

test('a rebase is each commit anew, and the last one is the commit of the merge', async () => {
  const { github, sha, payloads, complaints, history } = await hookedShop()
  const shas = ['1'.repeat(40), '2'.repeat(40)]

  const merged = await github.merge(SHOP, { ...request, method: 'rebase', commits: twoCommits, shas })

  expect(merged.sha).toBe(shas[1])
  expect(await history(sha)).toMatchObject([
    { sha: shas[0], commit: { message: 'Sell tea' }, parents: [{ sha }] },
    { sha: shas[1], commit: { message: 'Sell coffee' }, parents: [{ sha: shas[0] }] },
  ])
  expect(payloads()).toMatchObject([{ after: shas[1] }, { pull_request: { merge_commit_sha: shas[1] } }])
  expect(complaints()).toEqual([])
})

test('a branch that is there already is merged into the base that is named', async () => {
  const { github, sha, payloads } = await hookedShop()
  github.setBranch(SHOP, 'release', sha)
  github.setBranch(SHOP, 'tea', sha)
  github.addCommits(SHOP, [{ sha: TEA, message: 'Sell tea' }], 'tea')

  await github.merge(SHOP, { ...request, method: 'squash', base: 'release', head: 'tea' })

  expect(payloads()).toMatchObject([
    { ref: 'refs/heads/release' },
    { pull_request: { base: { ref: 'release' }, head: { ref: 'tea', sha: TEA } } },
  ])
})

test('the head of a fork is in another repository, and its commits are known here all the same', async () => {
  const { github, sha, payloads, complaints } = await hookedShop()

  const merged = await github.merge(SHOP, {
    ...request,
    method: 'merge',
    head: 'main',
    fromFork: 'octocat/shop',
    commits: [{ sha: TEA, message: 'Sell tea' }],
  })

  const head = Reflect.get(Object(Reflect.get(Object(payloads()[1]), 'pull_request')), 'head') as unknown
  expect(head).toMatchObject({
    label: 'octocat:main',
    user: { login: 'octocat', type: 'User' },
    repo: { fork: true },
  })
  expect(head).not.toMatchObject({ repo: { id: 17 } })
  expect(merged.commits).toMatchObject([{ parents: [sha, TEA] }])
  expect((await ask(github, `/repos/${SHOP}/commits/${TEA}`)).status).toBe(200)
  expect(complaints()).toEqual([])
})

test('the head branch can be deleted right after, here or in the fork', async () => {
  const { github, events, complaints } = await hookedShop()

  await github.merge(SHOP, { ...request, method: 'squash', deleteBranch: true })
  await github.merge(SHOP, {
    ...request,
    number: 8,
    method: 'squash',
    fromFork: 'octocat/shop',
    deleteBranch: true,
  })

  expect(events()).toEqual(['push', 'pull_request closed', 'push', 'delete', 'push', 'pull_request closed'])
  expect((await ask(github, `/repos/${SHOP}/branches/change-7`)).status).toBe(404)
  expect((await ask(github, '/repos/octocat/shop/branches/change-8')).status).toBe(404)
  expect(complaints()).toEqual([])
})

test('the events of a merge come in another order, or one of them not at all', async () => {
  const { github, events } = await hookedShop()

  await github.merge(SHOP, { ...request, method: 'squash', tell: ['pull_request', 'push'] })
  await github.merge(SHOP, { ...request, number: 8, method: 'squash', tell: ['pull_request'] })

  expect(events()).toEqual(['pull_request closed', 'push', 'pull_request closed'])
})

test('a commit status is told with the branches that hold the commit, by whom it may come', async () => {
  const { github, sha, events, payloads, complaints } = await hookedShop()
  await github.push(SHOP, [{ sha: TEA, message: 'Sell tea' }], { branch: 'tea' })

  await github.reportStatus(SHOP, sha, { context: 'ci', state: 'pending' })
  await post(github, `/repos/${SHOP}/statuses/${TEA}`, { state: 'success', context: 'ci' })
  await github.idle()

  expect(events().slice(2)).toEqual(['status', 'status'])
  expect(payloads().slice(2)).toMatchObject([
    {
      sha,
      context: 'ci',
      state: 'pending',
      name: SHOP,
      branches: [{ name: 'main' }, { name: 'tea' }],
      sender: { login: 'ci[bot]' },
    },
    { sha: TEA, state: 'success', branches: [{ name: 'tea' }], sender: { login: 'mona' } },
  ])
  expect(complaints()).toEqual([])
})

test('a check run is told when it begins and when it ends, and its suite when all have ended', async () => {
  const { github, sha, events, payloads, complaints } = await hookedShop()
  const begun = { status: 'in_progress', conclusion: null } as const
  const ended = { status: 'completed', conclusion: 'success' } as const

  const { reported: first } = await github.reportCheckRun(SHOP, sha, { name: 'test', ...begun })
  await github.reportCheckRun(SHOP, sha, { name: 'lint', ...begun })
  const { reported: last } = await github.reportCheckRun(SHOP, sha, { name: 'test', ...ended })
  await github.reportCheckRun(SHOP, sha, { name: 'lint', ...ended, conclusion: 'failure' })

  expect(last.id).toBe(first.id)
  expect(events()).toEqual([
    'check_run created',
    'check_run created',
    'check_run completed',
    'check_run completed',
    'check_suite completed',
  ])
  expect(payloads()).toMatchObject([
    { check_run: { name: 'test', status: 'in_progress', conclusion: null, head_sha: sha } },
    { check_run: { name: 'lint' } },
    { check_run: { name: 'test', conclusion: 'success', check_suite: { status: 'in_progress' } } },
    {
      check_run: {
        name: 'lint',
        conclusion: 'failure',
        check_suite: { id: first.suiteId, head_branch: 'main' },
      },
    },
    { check_suite: { id: first.suiteId, status: 'completed', conclusion: 'failure', head_branch: 'main' } },
  ])
  expect(complaints()).toEqual([])
})

test('every app has its own suite, and a run that is completed at once is told at once', async () => {
  const { github, sha, events, complaints } = await hookedShop()
  const done = { name: 'test', status: 'completed', conclusion: 'success' } as const

  const { reported: one } = await github.reportCheckRun(SHOP, sha, done)
  const { reported: other } = await github.reportCheckRun(SHOP, sha, { ...done, app: 'other-ci' })

  expect(other.suiteId).not.toBe(one.suiteId)
  expect(events()).toEqual(
    [1, 2].flatMap(() => ['check_run created', 'check_run completed', 'check_suite completed']),
  )
  expect(complaints()).toEqual([])
})

test('what is not there cannot be merged into or deleted', async () => {
  const { github } = await hookedShop()

  await expect(github.merge(SHOP, { ...request, method: 'squash', base: 'none' })).rejects.toThrow(
    'The double of GitHub has no branch none',
  )
  await expect(github.deleteBranch(SHOP, 'none')).rejects.toThrow('The double of GitHub has no branch none')
})
