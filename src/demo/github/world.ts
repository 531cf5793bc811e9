import { createHash } from 'node:crypto'

import { addHook, type NewHook } from './hooks.ts'
import {
  repositoryCalled,
  userCalled,
  type Branch,
  type CheckRun,
  type Commit,
  type CommitStatus,
  type GitHubState,
  type Hook,
  type Repository,
  type Token,
  type User,
} from './state.ts'

/** What a test or the demonstration can put into the double. Repositories are named `owner/name`. */
export interface World {
  addUser(login: string, type?: User['type']): User
  addToken(token: string, rights: Token): void
  /** The token is worth nothing from now on. */
  revokeToken(token: string): void
  /** With one commit on its default branch, which is `main` when left out. */
  addRepository(name: string, given?: NewRepository): Repository
  /** The old name leads to the new one, as long as nothing else is called so. */
  renameRepository(name: string, to: string): void
  /** Puts commits, oldest first, on top of a branch; makes the branch where there is none. */
  addCommits(repository: string, commits: readonly NewCommit[], branch?: string): void
  setBranch(repository: string, branch: string, sha: string, behind?: Branch['behind']): void
  setTag(repository: string, tag: string, sha: string): void
  addCommitStatus(
    repository: string,
    sha: string,
    given: Pick<CommitStatus, 'context' | 'state'>,
  ): CommitStatus
  addCheckRun(repository: string, sha: string, given: NewCheckRun): CheckRun
  addHook(repository: string, given: NewHook): Hook
}

interface NewRepository {
  readonly id?: number
  readonly isPrivate?: boolean
  readonly defaultBranch?: string
}

type NewCommit = Pick<Commit, 'sha' | 'message'> & Partial<Pick<Commit, 'author' | 'at'>>

type NewCheckRun = Pick<CheckRun, 'name' | 'status' | 'conclusion'> &
  Partial<Pick<CheckRun, 'app' | 'suiteId'>>

const AUTHOR = { name: 'Shop team', email: 'team@example.org' }

/** An empty GitHub; its ids count up from the given one. */
export function createState(url: string, clock: () => number, firstId = 1_001): GitHubState {
  let lastId = firstId - 1
  return {
    url,
    clock,
    nextId: () => (lastId += 1),
    users: new Map(),
    tokens: new Map(),
    repositories: new Map(),
  }
}

/** The repository of that name; a wrong name is a mistake in the test. */
export function known(state: GitHubState, name: string): Repository {
  const repository = repositoryCalled(state, name)
  if (repository === undefined) throw new Error(`The double of GitHub has no repository ${name}`)
  return repository
}

export function createWorld(state: GitHubState): World {
  const there = (name: string) => known(state, name)
  return {
    addUser: (login, type) => userCalled(state, login, type),
    addToken: (token, rights) => void state.tokens.set(token, rights),
    revokeToken: (token) => void state.tokens.delete(token),
    addRepository: (name, given = {}) => addRepository(state, name, given),
    renameRepository(name, to) {
      const repository = there(name)
      const [owner = '', newName = ''] = to.split('/')
      repository.formerNames.push(`${repository.owner}/${repository.name}`)
      Object.assign(repository, { owner, name: newName })
      state.repositories.set(to.toLowerCase(), repository)
    },
    addCommits: (name, commits, branch = there(name).defaultBranch) =>
      addCommits(state, there(name), commits, branch),
    setBranch: (name, branch, sha, behind = 'no') => void there(name).branches.set(branch, { sha, behind }),
    setTag: (name, tag, sha) => void there(name).tags.set(tag, sha),
    addCommitStatus(name, sha, { context, state: word }) {
      const status: CommitStatus = {
        id: state.nextId(),
        sha,
        context,
        state: word,
        description: null,
        targetUrl: null,
        creator: userCalled(state, 'ci[bot]'),
        createdAt: state.clock(),
      }
      there(name).commitStatuses.push(status)
      return status
    },
    addCheckRun(name, sha, { app = 'github-actions', suiteId = 1, ...given }) {
      const run: CheckRun = { id: state.nextId(), sha, app, suiteId, startedAt: state.clock(), ...given }
      there(name).checkRuns.push(run)
      return run
    },
    addHook: (name, given) => addHook(state, there(name), given),
  }
}

function addRepository(state: GitHubState, fullName: string, given: NewRepository): Repository {
  const [owner = '', name = ''] = fullName.split('/')
  userCalled(state, owner, 'Organization')
  const repository: Repository = {
    id: given.id ?? state.nextId(),
    owner,
    name,
    formerNames: [],
    isPrivate: given.isPrivate ?? true,
    defaultBranch: given.defaultBranch ?? 'main',
    createdAt: state.clock(),
    branches: new Map(),
    tags: new Map(),
    commits: new Map(),
    deployments: [],
    commitStatuses: [],
    checkRuns: [],
    hooks: [],
  }
  state.repositories.set(fullName.toLowerCase(), repository)
  const sha = createHash('sha1').update(fullName).digest('hex')
  addCommits(state, repository, [{ sha, message: 'First commit' }], repository.defaultBranch)
  return repository
}

function addCommits(
  state: GitHubState,
  repository: Repository,
  commits: readonly NewCommit[],
  branch: string,
): void {
  for (const { sha, message, author = AUTHOR, at = state.clock() } of commits) {
    const head = repository.branches.get(branch)?.sha
    repository.commits.set(sha, { sha, message, author, at, parents: head === undefined ? [] : [head] })
    repository.branches.set(branch, { sha, behind: repository.branches.get(branch)?.behind ?? 'no' })
  }
}
