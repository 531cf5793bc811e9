import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { onTestFinished } from 'vitest'

import type { Config } from '../../src/config/config.ts'
import { loadConfig, readConfig, type LoadOptions } from '../../src/config/load.ts'
import { lineOf } from '../../src/config/problems.ts'

/** A folder of its own for this test, gone afterwards. */
export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'ferryman-config-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** Writes config.yml, readable by its owner only, into a folder of its own; answers its path. */
export function written(text: string, beside: Readonly<Record<string, string>> = {}): string {
  const path = folder()
  for (const [name, content] of Object.entries(beside)) writeFileSync(join(path, name), content)
  writeFileSync(join(path, 'config.yml'), text, { mode: 0o600 })
  return join(path, 'config.yml')
}

/** The first lines of a configuration in which nothing is wrong; repositories follow on line 2. */
export const GITHUB = "github: {webhook_secret: '0123456789abcdef', token: ghp_xyz}\n"

/** A repository in which nothing is wrong, on one line. */
export const ENTRY = 'repositories: {acme/shop: {folder: /srv/shop, commands: [[id]]}}\n'

export const load = (text: string, options: Partial<LoadOptions> = {}): Config =>
  loadConfig(written(text), { environment: {}, ...options })

/** One line for each problem; the folder of the file is written as `<folder>`. */
export function problemsOf(text: string, options: Partial<LoadOptions> = {}): string[] {
  const file = written(text)
  const reading = readConfig(file, { environment: {}, ...options })
  const problems = 'problems' in reading ? reading.problems : []
  return problems.map((problem) => lineOf(problem).replaceAll(file.replace('/config.yml', ''), '<folder>'))
}

/** The environment `production` of acme/shop, with these lines added to its entry. */
export function shop(lines: string, options: Partial<LoadOptions> = {}) {
  const text = `${GITHUB}repositories:\n  acme/shop:\n    folder: /srv/shop\n${indent(lines)}`
  const environment = load(text, options).repositories.get('acme/shop')?.environments.get('production')
  if (environment === undefined) throw new Error('There is no acme/shop production.')
  return environment
}

/** The problems of the entry of acme/shop, whose keys begin on line 5, column 5. */
export const problemsOfShop = (lines: string, options: Partial<LoadOptions> = {}): string[] =>
  problemsOf(`${GITHUB}repositories:\n  acme/shop:\n    folder: /srv/shop\n${indent(lines)}`, options)

const indent = (lines: string): string => lines.replaceAll(/^(?=.)/gm, '    ')
