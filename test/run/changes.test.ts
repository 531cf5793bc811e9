import { expect, test } from 'vitest'

import type { NewCommit } from '../../src/demo/github/history.ts'
import { createJournal } from '../../src/logs/journal.ts'
import { createMasker } from '../../src/logs/redact.ts'
import { askForChanges } from '../../src/run/changes.ts'
import { clientOf, shopAtGitHub } from '../support/doubles.ts'
import { runningDeployment } from '../support/running.ts'

const SECRET = 'a-secret-in-a-title'
const never = new AbortController().signal

/** acme/shop with these commits on top of its first one, the newest of which is being deployed. */
async function deploying(commits: readonly NewCommit[]) {
  const { github, sha: first } = await shopAtGitHub()
  const made = github.addCommits('acme/shop', commits)
  const sha = made.at(-1)?.sha ?? first
  const lines: string[] = []
  const masker = createMasker([SECRET])
  const write = (line: string): void => void lines.push(line)
  const journal = createJournal({ write, masker, clock: Date.now, pretty: false, colour: false })
  const ask = (previous: Promise<string | undefined> = Promise.resolve(first)) =>
    askForChanges(runningDeployment({ sha }), previous, {
      github: () => clientOf(github),
      mask: masker.mask,
      journal,
    })
  return { github, first, shas: made.map((one) => one.sha), sha, lines, ask }
}

test('what came is one line each, masked before it is cut', async () => {
  const long = `${'x'.repeat(190)} ${SECRET}`
  const { sha, ask } = await deploying([
    { message: `${long} (#12)`, author: { name: `Ada\u001b[31m ${SECRET}`, email: '' } },
    { message: `Sell\u202etea ${SECRET}` },
  ])

  const found = await ask().of(sha, never)

  expect(found?.commits.map(({ title }) => title)).toEqual([
    'Sell\\u202etea •••',
    `${'x'.repeat(190)} ••• (#12)`,
  ])
  expect(found?.pullRequests).toEqual([{ number: 12, title: `${'x'.repeat(190)} •••` }])
  expect(found?.authors).toEqual(['Shop team', 'Ada\\u001b[31m •••'])
})

test('of another commit that was put in place GitHub is asked again', async () => {
  const { shas, ask } = await deploying([{ message: 'Sell tea' }, { message: 'Sell coffee' }])

  expect(await ask().of(shas[0] ?? '', never)).toMatchObject({
    commitCount: 1,
    commits: [{ title: 'Sell tea' }],
  })
})

test('where nothing was there before, or the store does not know, GitHub is not asked', async () => {
  const { github, sha, ask, lines } = await deploying([{ message: 'Sell tea' }])

  expect(await ask(Promise.resolve(undefined)).of(sha, never)).toBeUndefined()
  expect(await ask(Promise.reject(new Error('The database is away.'))).of(sha, never)).toBeUndefined()
  expect(github.requests).toEqual([])
  expect(lines.join()).toContain('The database is away.')
})

test('a failure of GitHub is told to the journal alone', async () => {
  const { github, sha, ask, lines } = await deploying([{ message: 'Sell tea' }])
  github.fail({ with: { status: 502, body: '<html>' } })

  expect(await ask().of(sha, never)).toBeUndefined()
  expect(lines.join()).toContain('changes:unknown')
})

test('an answer that does not come is waited for two seconds, and not at all when the server stops', async () => {
  const { github, sha, ask } = await deploying([{ message: 'Sell tea' }])
  github.fail({ with: 'hang' })
  github.fail({ with: 'hang' })
  const timed = async (leaving: AbortSignal): Promise<number> => {
    const begun = performance.now()
    expect(await ask().of(sha, leaving)).toBeUndefined()
    return performance.now() - begun
  }

  expect(await timed(AbortSignal.abort())).toBeLessThan(1_900)
  const waited = await timed(never)
  expect(waited).toBeGreaterThan(1_900)
  expect(waited).toBeLessThan(20_000) // it would be for ever
})
