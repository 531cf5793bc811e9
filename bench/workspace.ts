import { execFile, spawn } from 'node:child_process'
import { randomFillSync } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, rmSync, watch, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'

import { startFerryman, startGitHubSink, type Contender } from './contenders.ts'
import { createDeliveries, ofCommit } from './deliveries.ts'
import { median, type Place } from './place.ts'
import { ms, type Findings } from './report.ts'

const FILE_BYTES = 262_144
const COMMITS = 4
const MOST_MS = 2_000
/** From so many megabytes on a clone takes longer than to start a few programs. */
const LARGE = 256

/**
 * From the webhook to the first command in a fresh checkout, beside a `git clone` of the same repository. Each commit
 * changes every file, so that the work tree is a quarter of the repository; nothing in it can be compressed.
 */
export async function measureWorkspace(place: Place): Promise<Findings> {
  const times = place.quick ? 3 : 5
  const github = await startGitHubSink(0)
  const folder = place.folder('origin')
  const origin = join(folder, 'shop.git')
  place.say(`workspace: makes a repository of ${place.megabytes} MB`)
  await makeRepository(origin, place.megabytes)
  const touched = join(place.folder('touched'), 'file')
  writeFileSync(touched, '')
  const own = place.folder('ferryman')
  const server = await startFerryman(place, {
    folder: own,
    command: ['/usr/bin/touch', touched],
    github: github.port,
    entry: { workspace: { url: origin }, timeout: '2h' },
  })
  const next = createDeliveries({ otherDeployments: true })
  const deploy = async (sha: string): Promise<number> => {
    const took = await untilTouched(server, touched, ofCommit(next(), sha))
    while (readdirSync(join(own, 'data/workspaces')).length > 0) await pause(20)
    await pause(500) // its end has to be written down
    return took
  }

  const sha = await git(origin, 'rev-parse', 'main')
  place.say('workspace: the first deployment')
  const first = await deploy(sha)
  const same: number[] = []
  const newer: number[] = []
  const clones: number[] = []
  for (let count = 0; count < times; count += 1) {
    place.say(`workspace: ${count} of ${times}`)
    same.push(await deploy(count === 0 ? sha : await git(origin, 'rev-parse', 'main')))
    newer.push(await deploy(await addCommit(origin, count)))
    const target = join(folder, 'clone')
    const from = performance.now()
    await git(folder, 'clone', '--quiet', `file://${origin}`, target)
    clones.push(performance.now() - from)
    rmSync(target, { recursive: true })
  }
  await place.end(server.program)
  github.stop()
  return {
    title: `From the webhook to the first command in a fresh checkout, repository of ${place.megabytes} MB, ${times} times`,
    head: ['', 'median', 'most'],
    rows: [
      ['git clone', ms(median(clones)), ms(Math.max(...clones))],
      ['first deployment', ms(first), ''],
      ['a commit that is new', ms(median(newer)), ms(Math.max(...newer))],
      ['a commit that was deployed before', ms(median(same)), ms(Math.max(...same))],
    ],
    goals: [
      { what: 'a new commit in a fresh checkout', ratio: median(newer), most: MOST_MS, unit: 'ms' },
      {
        what: 'git clone ÷ a new commit',
        ratio: place.megabytes < LARGE ? undefined : median(clones) / median(newer),
        least: 3,
      },
    ],
  }
}

const ENVIRONMENT = {
  PATH: process.env['PATH'] ?? '',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
}

async function git(folder: string, ...words: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('git', [...words], { cwd: folder, env: ENVIRONMENT })
  return stdout.trim()
}

async function makeRepository(path: string, megabytes: number): Promise<void> {
  await git('/', 'init', '--quiet', '--bare', '--initial-branch=main', path)
  const files = Math.max(1, Math.floor((megabytes * 1_048_576) / COMMITS / FILE_BYTES))
  const content = Buffer.alloc(FILE_BYTES)
  await fastImport(path, async (write) => {
    for (let commit = 1; commit <= COMMITS; commit += 1) {
      await write(commitText(commit))
      for (let file = 0; file < files; file += 1) {
        await write(`M 100644 inline ${file % 64}/${file}\ndata ${FILE_BYTES}\n`)
        await write(Buffer.from(randomFillSync(content)))
        await write('\n')
      }
    }
  })
}

/** A small change, as most are; answers its id. */
async function addCommit(path: string, count: number): Promise<string> {
  await fastImport(path, async (write) => {
    const text = `change ${count}\n`
    await write(`${commitText(COMMITS + 1 + count)}from refs/heads/main^0\n`)
    await write(`M 100644 inline change\ndata ${text.length}\n${text}\n`)
  })
  return git(path, 'rev-parse', 'main')
}

const commitText = (number: number): string =>
  `commit refs/heads/main\ncommitter Mona <mona@example.org> ${1_700_000_000 + number} +0000\ndata 2\nA\n`

async function fastImport(
  path: string,
  fill: (write: (piece: string | Buffer) => Promise<void>) => Promise<void>,
): Promise<void> {
  const words = ['-c', 'core.compression=0', 'fast-import', '--quiet']
  const child = spawn('git', words, { cwd: path, env: ENVIRONMENT, stdio: ['pipe', 'ignore', 'inherit'] })
  const ended = once(child, 'exit')
  await fill(async (piece) => {
    if (!child.stdin.write(piece)) await once(child.stdin, 'drain')
  })
  child.stdin.end()
  await finished(child.stdin)
  const [code] = (await ended) as [number | null]
  if (code !== 0) throw new Error(`git fast-import ended with ${code}`)
}

async function untilTouched(
  { port, path }: Contender,
  file: string,
  { body, headers }: { readonly body: string; readonly headers: Record<string, string> },
): Promise<number> {
  const watcher = watch(file)
  const touched = once(watcher, 'change', { signal: AbortSignal.timeout(300_000) })
  const from = performance.now()
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', body, headers })
  await answer.arrayBuffer()
  if (answer.status >= 300) throw new Error(`Ferryman answered ${answer.status}`)
  await touched
  watcher.close()
  return performance.now() - from
}
