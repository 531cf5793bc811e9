import { dirname, resolve } from 'node:path'

import { isMapping, readDocument } from './document.ts'
import { findConfig, invalid, readText, type FindOptions } from './load.ts'
import { createProblemList } from './problems.ts'
import { fillReferences, type Variables } from './references.ts'

/** Who looks for it. */
export interface Looking extends Pick<FindOptions, 'cwd'> {
  readonly environment: Variables
  /** What `--data-dir` said. */
  readonly dataDir: string | undefined
  /** What `--config` said. */
  readonly config: string | undefined
}

/**
 * The data directory of a running server, whatever else is wrong with its configuration: who talks to a server
 * needs none of its secrets. Throws `config_not_found`, `config_unreadable` or `config_invalid`.
 */
export function findDataDir({ dataDir, config, environment, cwd }: Looking): string {
  const named = dataDir ?? (environment['FERRYMAN_DATA_DIR'] || undefined)
  const isElsewhere = config === undefined && named !== undefined && resolve(cwd, named) === named
  if (isElsewhere) return named
  const file = findConfig({ flag: config, environment, cwd })
  return resolve(dirname(file), named ?? dataDirIn(file, environment))
}

function dataDirIn(file: string, environment: Variables): string {
  const reading = readDocument(file, readText(file))
  if ('problems' in reading) throw invalid(file, reading.problems)
  const { root, positions } = reading.document
  const given = isMapping(root) ? root['data_dir'] : undefined
  const filled = fillReferences(typeof given === 'string' ? given : './data', environment)
  if ('text' in filled) return filled.text
  const problems = createProblemList(file, positions)
  problems.add(['data_dir'], filled.wrong)
  throw invalid(file, problems.all)
}
