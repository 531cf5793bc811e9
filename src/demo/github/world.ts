import { createHash } from 'node:crypto'

import { addApp, install, uninstall, type NewInstallation } from './apps.ts'
import { addCheckRun, addCommitStatus, type NewCheckRun, type NewCommitStatus } from './checks.ts'
import { stack, type NewCommit } from './history.ts'
import { addHook, type NewHook } from './hooks.ts'
import {
  repositoryCalled,
  userCalled,
  type App,
  type Branch,
  type CheckRun,
  type Commit,
  type CommitStatus,
  type GitHubState,
  type Hook,
  type Installation,
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
  /** Makes an App; GitHub keeps the public half of its key (PEM). */
  addApp(slug: string, publicKey: string): App
  installApp(app: App, given: NewInstallation): Installation
  /** The App, and every token that was made for it, may do nothing there any more. */
  uninstallApp(app: App, installation: Installation): void
  /** With one commit on its default branch, which is `main` when left out. */
  addRepository(name: string, given?: NewRepository): Repository
  /** The old name leads to the new one, as long as nothing else is called so. */
  renameRepository(name: string, to: string): void
  /** Puts commits, oldest first, on top of a branch; makes the branch where there is none. */
  addCommits(repository: string, commits: readonly NewCommit[], branch?: string): readonly Commit[]
  setBranch(repository: string, branch: string, sha: string, behind?: Branch['behind']): void
  /** An annotated tag where there is a message; `sha` is of a commit, or of another tag. Answers what the tag points at. */
  setTag(repository: string, tag: string, sha: string, message?: string): string
  addCommitStatus(repository: string, sha: string, given: NewCommitStatus): CommitStatus
  addCheckRun(repository: string, sha: string, given: NewCheckRun): CheckRun
  addHook(repository: string, given: NewHook): Hook
}

interface NewRepository {
  readonly id?: number
  readonly isPrivate?: boolean
  readonly isFork?: boolean
  readonly defaultBranch?: string
}

/** An empty GitHub; its ids count up from the given one. */
export function createState(url: string, clock: () => number, firstId = 1_001): GitHubState {
  let lastId = firstId - 1
  return {
    url,
    clock,
    nextId: () => (lastId += 1),
    users: new Map(),
    tokens: new Map(),
    apps: new Map(),
    repositories: new Map(),
    gists: new Map(),
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
    addApp: (slug, publicKey) => addApp(state, slug, publicKey),
    installApp: (app, given) => install(state, app, given),
    uninstallApp: (app, installation) => uninstall(state, app, installation),
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
    setTag: (name, tag, sha, message) => setTag(state, there(name), { name: tag, target: sha, message }),
    addCommitStatus: (name, sha, given) => addCommitStatus(state, there(name), sha, given),
    addCheckRun: (name, sha, given) => addCheckRun(state, there(name), sha, given).run,
    addHook: (name, given) => addHook(state, there(name), given),
  }
}

/** Adds a repository with one commit. */
export function addRepository(state: GitHubState, fullName: string, given: NewRepository): Repository {
  const [owner = '', name = ''] = fullName.split('/')
  userCalled(state, owner, 'Organization')
  const repository: Repository = {
    id: given.id ?? state.nextId(),
    owner,
    name,
    formerNames: [],
    isPrivate: given.isPrivate ?? true,
    isFork: given.isFork ?? false,
    defaultBranch: given.defaultBranch ?? 'main',
    createdAt: state.clock(),
    branches: new Map(),
    tags: new Map(),
    tagObjects: new Map(),
    commits: new Map(),
    deployments: [],
    commitStatuses: [],
    checkRuns: [],
    pullRequests: [],
    hooks: [],
  }
  state.repositories.set(fullName.toLowerCase(), repository)
  const sha = createHash('sha1').update(fullName).digest('hex')
  addCommits(state, repository, [{ sha, message: 'First commit' }], repository.defaultBranch)
  return repository
}

/** Puts commits on top of a branch. */
export function addCommits(
  state: GitHubState,
  repository: Repository,
  commits: readonly NewCommit[],
  branch: string,
): Commit[] {
  const at = repository.branches.get(branch)
  const made = stack(state, repository, commits, at?.sha)
  const sha = made.at(-1)?.sha
  if (sha !== undefined) repository.branches.set(branch, { sha, behind: at?.behind ?? 'no' })
  return made
}

function setTag(
  state: GitHubState,
  repository: Repository,
  {
    name,
    target,
    message,
  }: { readonly name: string; readonly target: string; readonly message?: string | undefined },
): string {
  const sha =
    message === undefined ? target : createHash('sha1').update(`tag ${name} ${target}`).digest('hex')
  if (message !== undefined) repository.tagObjects.set(sha, { sha, name, message, target, at: state.clock() })
  repository.tags.set(name, sha)
  return sha
}
