import { loadConfig } from '../../src/config/load.ts'
import { createSampleRepository, type SampleRepository } from '../../src/demo/sample-repository.ts'
import type { Deployment } from '../../src/demo/github/state.ts'
import { mayReadCode, serve, type Given, type Served, type World } from './journey.ts'
import { temporaryFolder } from './running.ts'

/** What GitHub answered a delivery. */
interface Answer {
  readonly status: number
  readonly verdict: string
  readonly reason?: string
  readonly detail?: string
  readonly deployments?: readonly { readonly id: number; readonly name: string }[]
}

export interface Shop extends Served {
  /** A real repository; its clone is the folder that is deployed. */
  readonly sample: SampleRepository
  /** A commit on `main`, here and at GitHub, of which nobody is told. */
  commit(message: string): Promise<string>
  /** Merges a pull request that became one commit on the branch, and tells the server. */
  merge(sha: string, given?: MergeGiven): Promise<Answer>
  /** Tells the server of a push. */
  push(sha: string, given?: { readonly branch?: string; readonly before?: string }): Promise<Answer>
  /** Changes the entry in the configuration of the running server. */
  reconfigure(wanted: Given): Promise<void>
  /** Tells the server that something was reported about a commit. */
  checked(sha: string): Promise<Answer>
  /** Resolves with the deployment that Ferryman made for the commit. */
  made(sha: string): Promise<Deployment>
}

interface MergeGiven {
  readonly number?: number
  readonly branch?: string
  readonly by?: string
  readonly head?: string
}

export const DEPLOY = [
  ['git', 'fetch', '--quiet', 'origin'],
  ['git', 'checkout', '--quiet', '--detach', '{sha}'],
  ['sh', '-c', 'echo "$GITHUB_SHA by $GITHUB_CREATOR" >> ../deployed'],
]

/** A shop with a real repository behind it, that merges deploy. */
export async function openShop(given: Given & { readonly isSeen?: false | 'not yet' } = {}): Promise<Shop> {
  const sample = await createSampleRepository(temporaryFolder())
  const served = await serve({
    commands: DEPLOY,
    ...given,
    entry: { folder: sample.folder, ...given.entry },
    async prepare(world) {
      mayReadCode(world)
      world.github.addCommits('acme/shop', sample.commits)
      await given.prepare?.(world)
    },
  })
  const { github } = served
  const seen =
    given.isSeen === undefined
      ? 'environment:first-seen'
      : `first-sight:${given.isSeen === false ? 'unknown' : 'postponed'}`
  await served.waitForJournal((line) => line.includes(seen))
  let numbers = 0
  const tell = async (event: string, payload: unknown): Promise<Answer> => {
    const { status, body } = await github.deliver(event, payload)
    return { status, ...(JSON.parse(body) as Omit<Answer, 'status'>) }
  }
  // The getters of what is served must stay getters.
  return Object.defineProperties({} as Shop, {
    ...Object.getOwnPropertyDescriptors(served),
    ...Object.getOwnPropertyDescriptors({
      sample,
      async commit(message: string) {
        const made = await sample.push({ message, files: { 'index.html': `${message}\n` } })
        github.addCommits('acme/shop', [made])
        return made.sha
      },
      merge: (
        sha: string,
        { number = (numbers += 1), branch = 'main', by = 'mona', head = 'topic' }: MergeGiven = {},
      ) =>
        tell(
          'pull_request',
          github.events.pullRequest('acme/shop', {
            action: 'closed',
            number,
            title: `Change ${number}`,
            base: { branch, sha: 'b'.repeat(40) },
            head: { branch: head, sha: 'c'.repeat(40) },
            author: 'octo',
            merged: { sha, by },
          }),
        ),
      push: (sha: string, { branch = 'main', before = 'b'.repeat(40) } = {}) =>
        tell(
          'push',
          github.events.push('acme/shop', {
            ref: `refs/heads/${branch}`,
            before,
            after: sha,
            pusher: 'mona',
          }),
        ),
      async reconfigure(wanted: Given) {
        served.writeConfig({ commands: DEPLOY, ...wanted, entry: { folder: sample.folder, ...wanted.entry } })
        await served.app.reload(loadConfig(served.configFile, { environment: process.env }))
      },
      checked: (sha: string) =>
        tell('status', {
          id: 1,
          sha,
          state: 'success',
          context: 'ci/test',
          repository: { id: 17, full_name: 'acme/shop', private: true },
        }),
      made: (sha: string) => made(served, sha),
    } satisfies Partial<Shop>),
  })
}

/** Resolves with the deployment that Ferryman made for the commit. */
export async function made({ github, repository }: World, sha: string): Promise<Deployment> {
  const { answer } = await github.waitFor(
    ({ method, path, body, answer }) =>
      method === 'POST' &&
      path.endsWith('/deployments') &&
      answer?.status === 201 &&
      Reflect.get(Object(body), 'ref') === sha,
    15_000,
  )
  const id: unknown = Reflect.get(Object(answer?.body), 'id')
  const found = repository.deployments.find((one) => one.id === id)
  if (found === undefined) throw new Error('GitHub lost the deployment.')
  return found
}
