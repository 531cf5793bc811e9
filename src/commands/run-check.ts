import { npmFolders } from '../app.ts'
import { findConfig, readConfig } from '../config/load.ts'
import { lineOf } from '../config/problems.ts'
import { createMasker } from '../logs/redact.ts'
import { commandPath, type ServerSide } from '../run/environment.ts'
import { currentUser } from '../user.ts'
import { version } from '../version.ts'
import { checkDatabase } from './check-database.ts'
import { checkHeroku } from './check-heroku.ts'
import { checkLogTargets } from './check-log-targets.ts'
import { checkMachine } from './check-machine.ts'
import { checkPlaybooks } from './check-playbooks.ts'
import { checkReleases } from './check-releases.ts'
import { checkServices } from './check-services.ts'
import { checkSources } from './check-sources.ts'
import { checkWorkspaces } from './check-workspaces.ts'
import { doubtful, fine, lineFor, wrong, type Finding } from './findings.ts'

export interface CheckOptions {
  readonly config: string | undefined
  readonly offline: boolean
}

/** Prints what it finds as it finds it; answers 1 when anything is wrong. */
export async function runCheck({ config: flag, offline }: CheckOptions): Promise<number> {
  const colour = process.stdout.isTTY && process.stdout.hasColors()
  let failures = 0
  const masker = createMasker([])
  const say = (finding: Finding): void => {
    if (finding.mark === 'wrong') failures += 1
    process.stdout.write(masker.mask(lineFor(finding, colour)))
  }
  const file = findConfig({ flag, environment: process.env, cwd: process.cwd() })
  const reading = readConfig(file, { environment: process.env })
  if ('problems' in reading) {
    for (const problem of reading.problems) say(wrong(lineOf(problem), ''))
    return 1
  }
  const { config } = reading
  masker.add(config.secrets)
  const environments = [...config.repositories.values()].reduce(
    (sum, { environments }) => sum + environments.size,
    0,
  )
  say(
    fine(
      `${file}: ${count(config.repositories.size, 'repository', 'repositories')}, ${count(environments, 'environment', 'environments')}`,
    ),
  )
  for (const warning of config.warnings) say(doubtful(warning, ''))
  for (const finding of await checkMachine(config, commandPath(process.env, npmFolders()))) say(finding)
  for await (const finding of checkReleases(config)) say(finding)
  for await (const finding of checkPlaybooks(config, serverSide())) say(finding)
  const asked = { version, now: Date.now(), masker }
  for await (const finding of checkWorkspaces(config, { ...asked, server: serverSide(), offline }))
    say(finding)
  for await (const finding of checkSources(config, { server: serverSide(), masker, offline })) say(finding)
  for await (const finding of checkHeroku(config, { server: serverSide(), offline })) say(finding)
  say(await checkDatabase(config))
  if (!offline) {
    for await (const finding of checkServices(config, asked)) say(finding)
    for await (const finding of checkLogTargets(config, { ...asked, server: serverSide() })) say(finding)
  }
  process.stdout.write(
    failures === 0
      ? `\nReady, as ${currentUser().name}.\n`
      : `\n${count(failures, 'thing', 'things')} to mend.\n`,
  )
  return failures === 0 ? 0 : 1
}

function serverSide(): ServerSide {
  return {
    environment: process.env,
    user: currentUser(),
    npmFolders: npmFolders(),
  }
}

const count = (number: number, one: string, many: string): string => `${number} ${number === 1 ? one : many}`
