import type { RepositoryConfig } from '../config/config.ts'
import { GitHubError, type AppView } from '../github/github.ts'
import { doubtful, fine, wrong, type Finding } from './findings.ts'

/** Whether GitHub takes our word for being this App. */
export async function checkApp(app: AppView): Promise<Finding> {
  try {
    return fine(`GitHub: App ${app.id} is ${await app.slug()}, and the key fits`)
  } catch (thrown) {
    if (!(thrown instanceof GitHubError)) throw thrown
    return [401, 404].includes(thrown.status ?? 0)
      ? wrong(
          `GitHub: it does not take the key for App ${app.id}: ${thrown.message}`,
          'Correct github.app: id and private_key_file are of the same App. Look at the clock of this machine too.',
        )
      : wrong(`GitHub: ${thrown.message}`, 'Check github.api_url and the network, then try again.')
  }
}

/** Which installation covers a repository, and what it may not do that the configuration needs. */
export async function checkInstallation(
  app: AppView,
  repository: RepositoryConfig,
  needs: { readonly readsPulls: boolean },
): Promise<Finding> {
  const { name } = repository
  try {
    const { id, account, isSuspended, permissions } = await app.installation(name)
    const which = `installation ${id} of App ${app.id} on ${account}`
    if (isSuspended)
      return wrong(
        `GitHub: the ${which}, which covers ${name}, is suspended`,
        `Let an owner of ${account} resume it.`,
      )
    const missing = needsOf(repository, needs).filter(
      ({ permission, level }) => !allows(permissions[permission], level),
    )
    if (missing.length === 0) return fine(`GitHub: the ${which} covers ${name}`)
    const finding = missing.some(({ level }) => level === 'write') ? wrong : doubtful
    return finding(
      `GitHub: the ${which} covers ${name}, and lacks ${missing.map(({ says }) => says).join(', ')}`,
      `Give the App that permission in its settings; then an owner of ${account} has to accept it.`,
    )
  } catch (thrown) {
    if (!(thrown instanceof GitHubError)) throw thrown
    return wrong(
      `GitHub: ${name}: ${thrown.message}`,
      thrown.status === 404
        ? 'Correct the name, or install the App there (its settings, "Install App") and let it see this repository.'
        : 'Check github.api_url and the network, then try again.',
    )
  }
}

interface Need {
  readonly permission: string
  readonly level: 'read' | 'write'
  /** As GitHub's pages call it. */
  readonly says: string
}

function needsOf(
  { environments }: RepositoryConfig,
  { readsPulls }: { readonly readsPulls: boolean },
): Need[] {
  const own = [...environments.values()].filter(({ deployOn }) => deployOn !== 'none')
  const isGated = own.some(({ requiredContexts = [] }) => requiredContexts.length > 0)
  return [
    { permission: 'deployments', level: 'write', says: '"Deployments: read and write"' },
    ...(own.length > 0 ? [CONTENTS] : []),
    ...(readsPulls ? [PULLS] : []),
    ...(isGated ? CHECKS : []),
    ...([...environments.values()].some(({ commitStatus }) => commitStatus) ? [STATUSES] : []),
  ]
}
const CONTENTS: Need = { permission: 'contents', level: 'read', says: '"Contents: read"' }
const PULLS: Need = { permission: 'pull_requests', level: 'read', says: '"Pull requests: read"' }
const CHECKS: readonly Need[] = [
  { permission: 'statuses', level: 'read', says: '"Commit statuses: read"' },
  { permission: 'checks', level: 'read', says: '"Checks: read"' },
]

const STATUSES: Need = { permission: 'statuses', level: 'write', says: '"Commit statuses: read and write"' }

const allows = (granted: string | undefined, level: Need['level']): boolean =>
  granted === 'admin' || granted === 'write' || granted === level
