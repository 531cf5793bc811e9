import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join, resolve } from 'node:path'

import { onTestFinished } from 'vitest'

import type { Deployment, ProcessRecord } from '../../src/deployment/deployment.ts'
import { createLogs } from '../../src/logs/logs.ts'
import { createMasker } from '../../src/logs/redact.ts'
import { PATIENCE } from '../../src/run/ending.ts'
import { startGuard } from '../../src/run/guard.ts'
import { statOf } from '../../src/run/processes.ts'
import type { RunParts } from '../../src/run/parts.ts'
import { run } from '../../src/run/run.ts'
import { startStandby } from '../../src/run/standby.ts'
import { createMirrors } from '../../src/run/workspace/mirrors.ts'
import { recipe, SHA } from './samples.ts'

/** The path of a program in test/fixtures/commands. */
export const command = (name: string): string => resolve('test/fixtures/commands', name)

/** A folder that is gone after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'fm-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export const runningDeployment = (given: Partial<Deployment> = {}): Deployment => ({
  id: 7,
  repository: 'acme/shop',
  configuredAs: 'acme/shop',
  environment: 'production',
  number: 12,
  lane: 'acme/shop/production',
  origin: 'deployment',
  branch: undefined,
  nonce: undefined,
  wasAsked: false,
  hold: undefined,
  blocked: undefined,
  forced: undefined,
  checkedAt: undefined,
  approvedBy: undefined,
  githubId: 4_711,
  sha: SHA,
  ref: 'main',
  task: 'deploy',
  actor: 'mona',
  authors: [],
  creator: 'acme-bot',
  creatorAvatar: 'https://avatars.example.org/bot',
  description: '',
  payload: '{"reason":"release"}',
  apiUrl: 'https://api.github.com/repos/acme/shop/deployments/4711',
  isPrivate: true,
  recipe: recipe(),
  publicLogs: false,
  environmentUrl: undefined,
  state: 'running',
  reason: undefined,
  detail: undefined,
  deployedSha: undefined,
  changes: undefined,
  logUrl: undefined,
  markedBad: undefined,
  steps: [],
  createdAt: 0,
  startedAt: 0,
  finishedAt: undefined,
  ...given,
})

interface Given {
  readonly commands: readonly (readonly string[])[]
  readonly folder?: string
  readonly env?: Record<string, string>
  readonly timeoutSeconds?: number
  readonly silenceSeconds?: number
  readonly leaveProcesses?: boolean
  readonly maxLogBytes?: number
  readonly deployment?: Partial<Deployment>
  readonly parts?: Partial<RunParts>
}

/** Runs commands for real; answers the result, and the log without its time stamps. */
export async function runFor({ commands, deployment: given, parts, ...options }: Given) {
  const directory = temporaryFolder()
  const env = Object.fromEntries(
    Object.entries(options.env ?? {}).map(([name, literal]) => [name, { literal }]),
  )
  const deployment = runningDeployment({
    recipe: recipe({ folder: directory, ...options, commands, env }),
    ...given,
  })
  const masker = parts?.masker ?? createMasker([])
  const logs = createLogs({ directory: join(directory, 'logs'), clock: Date.now })
  const log = await logs.open(deployment.id, { maxBytes: deployment.recipe.maxLogBytes, masker })
  const guard = startGuard()
  const standby = startStandby({ directory: join(directory, 'standby'), environment: {} })
  const recorded: ProcessRecord[] = []
  const { username, homedir, shell } = userInfo()
  const never = new AbortController().signal
  try {
    const result = await run(deployment, {
      log,
      masker,
      guard,
      standby,
      signal: never,
      stopping: never,
      leaving: never,
      stuck() {},
      clock: () => performance.now(),
      server: {
        environment: process.env,
        user: { name: username, home: homedir, shell: shell ?? '/bin/sh' },
        npmFolders: [process.cwd()],
      },
      resolve: (value) => ('literal' in value ? value.literal : ''),
      record: async (process) => void recorded.push(process),
      workBegins: async () => {},
      previousSha: undefined,
      runId: randomBytes(16).toString('hex'),
      directory: join(directory, 'runs'),
      installed: join(directory, 'installed'),
      checkouts: {
        mirrors: createMirrors(join(directory, 'mirrors')),
        workspaces: join(directory, 'workspaces'),
        githubUrl: () => 'https://github.com',
        readingToken: () => Promise.reject(new Error('Nobody is asked.')),
      },
      isFull: async () => false,
      patience: { ...PATIENCE, intMs: 200, termMs: 200, leaveMs: 500, quietMs: 100 },
      ...parts,
    })
    await log.close()
    const { bytes } = await logs.read(deployment.id, { offset: 0, limit: 10_000_000 })
    const text = bytes.toString().replaceAll(/^\S+Z(?: |(?=▸))/gm, '')
    return { result, log: text, recorded, directory }
  } finally {
    await log.close()
    await guard.stop()
    await standby.stop()
  }
}

/** Waits until the condition holds; fails when it does not within forty seconds. */
export async function eventually(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 40_000; Date.now() < end;) {
    if (await condition()) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`It did not happen within 40 s: ${what}`)
}

/** A zombie has ended, though nobody collects it. */
export const isRunning = (pid: number): boolean => !['Z', undefined].includes(statOf(pid)?.state)
