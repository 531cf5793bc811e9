import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  export interface ProvidedContext {
    /** Address of a PostgreSQL server of this test run, or undefined where the machine has none. */
    postgres: string | undefined
    /** Whether there is an `ansible-playbook`. */
    ansible: boolean
    /** Whether there is Fabric. */
    fabric: boolean
    /** Whether there is Git LFS. */
    gitLfs: boolean
    /** Whether there is sudo. */
    sudo: boolean
    /** The path of an OpenSSH server, or undefined where the machine has none. */
    sshd: string | undefined
    /** How a program is started so that limits bind it, which they do not for root; undefined where it cannot be. */
    limitable: readonly string[] | undefined
    /** Whether there is a C compiler, of which the tests of a power loss make their disk. */
    gcc: boolean
    /** Whether a test may mount a disk that is full. */
    mounts: boolean
    /** Whether a test may mount a disk that breaks: an image with ext4, on a loop device. */
    images: boolean
  }
}

/**
 * Starts what the tests share, once per run. What the machine lacks is said in one line each, with the way
 * to get it; with CI set, a missing part fails the run.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const missing: string[] = []
  const memory = folderInMemory()
  if (memory !== undefined) process.env['TMPDIR'] = memory
  const postgres = await startPostgres()
  if (postgres === undefined) missing.push('PostgreSQL: its tests are left out (apt-get install postgresql)')
  project.provide('postgres', postgres?.address)
  const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/usr/local/sbin']
  const find = (name: string) => folders.map((folder) => join(folder, name)).find((path) => existsSync(path))
  const ansible = find('ansible-playbook')
  if (ansible === undefined) missing.push('Ansible: its tests are left out (apt-get install ansible)')
  project.provide('ansible', ansible !== undefined)
  const fabric = find('fab')
  if (fabric === undefined) missing.push('Fabric: its test is left out (apt-get install fabric)')
  project.provide('fabric', fabric !== undefined)
  const gitLfs = find('git-lfs') !== undefined
  project.provide('gitLfs', gitLfs)
  if (!gitLfs) missing.push('Git LFS: its test is left out (apt-get install git-lfs)')
  const sudo = find('sudo') !== undefined
  if (!sudo) missing.push('sudo: tests of other users are left out (apt-get install sudo)')
  project.provide('sudo', sudo)
  const sshd = find('sshd')
  if (sshd === undefined)
    missing.push('an OpenSSH server: tests over ssh are left out (apt-get install openssh-server)')
  project.provide('sshd', sshd)
  const limitable = commandForLimited()
  if (limitable === undefined)
    missing.push(
      'a checkout that the user nobody can read: limits do not bind root, so their test is left out',
    )
  project.provide('limitable', limitable)
  const gcc = find('gcc') !== undefined && existsSync('/usr/include/stdio.h')
  if (!gcc) missing.push('a C compiler: power losses are left out (apt-get install gcc libc6-dev)')
  project.provide('gcc', gcc)

  const mounts = canMount()
  if (!mounts) missing.push('the right to mount: tests on a full disk are left out (run them as root)')
  project.provide('mounts', mounts)
  const images = mounts && canMountImage()
  project.provide('images', images)
  // What they show is shown without them as well, and containers seldom have loop devices: CI does not fail for these.
  if (!images)
    process.stderr.write(
      'not on this machine: loop devices and mkfs.ext4: tests on a real disk that breaks are left out\n',
    )
  if (process.getuid?.() !== 0)
    missing.push('root: tests of what belongs to another user are left out (run them as root)')

  for (const line of missing) process.stderr.write(`not on this machine: ${line}\n`)
  if (missing.length > 0 && process.env['CI']) throw new Error('In CI nothing may be missing.')
  return async () => {
    await postgres?.stop()
    if (memory !== undefined) rmSync(memory, { recursive: true, force: true })
  }
}

const IN_MEMORY = '/dev/shm'
const ENOUGH_BYTES = 4 * 1024 ** 3

/**
 * A folder in memory, where it is large enough and programs may be run there: thousands of small databases that are
 * synced to a disk take three times as long. What is about disks brings its own, and `npm run torture` uses a real one.
 * Undefined also where somebody chose a folder by TMPDIR.
 */
function folderInMemory(): string | undefined {
  if (process.env['TMPDIR'] !== undefined || !existsSync(IN_MEMORY)) return undefined
  const { bavail, bsize } = statfsSync(IN_MEMORY)
  if (bavail * bsize < ENOUGH_BYTES) return undefined
  const folder = join(IN_MEMORY, `fm-${process.pid}`) // short: paths of sockets have little room
  try {
    for (const name of readdirSync(IN_MEMORY)) {
      const owner = /^fm-(\d+)$/.exec(name)?.[1]
      const isLeft = owner !== undefined && !existsSync(`/proc/${owner}`)
      if (isLeft) rmSync(join(IN_MEMORY, name), { recursive: true, force: true })
    }
    mkdirSync(folder)
    chmodSync(folder, 0o1777) // as /tmp: some tests are about other users
    writeFileSync(join(folder, 'probe'), '#!/bin/sh\n', { mode: 0o755 })
    execFileSync(join(folder, 'probe'), { stdio: 'ignore' })
    return folder
  } catch {
    rmSync(folder, { recursive: true, force: true })
    return undefined
  }
}

/** Whether this user may mount a file system in memory. */
const canMount = (): boolean =>
  process.getuid?.() === 0 && mountsOn(() => ['-t', 'tmpfs', '-o', 'size=1m', 'ferryman-test'])

/** Whether there are loop devices, and ext4. */
const canMountImage = (): boolean =>
  mountsOn((folder) => {
    const image = join(folder, 'image')
    writeFileSync(image, Buffer.alloc(2 * 1_048_576))
    execFileSync('mkfs.ext4', ['-q', image], { stdio: 'ignore' })
    return ['-o', 'loop', image]
  })

/** Whether that can be mounted; `prepare` may use the folder for what it takes. */
function mountsOn(prepare: (folder: string) => readonly string[]): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'ferryman-mount-'))
  const place = join(folder, 'place')
  try {
    mkdirSync(place)
    execFileSync('mount', [...prepare(folder), place], { stdio: 'ignore' })
    execFileSync('umount', [place], { stdio: 'ignore' })
    return true
  } catch {
    return false
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Nothing for a user whom limits bind; root becomes nobody, if nobody may read what we run. */
function commandForLimited(): readonly string[] | undefined {
  if (process.getuid?.() !== 0) return []
  const asNobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
  try {
    execFileSync(asNobody[0] ?? '', [...asNobody.slice(1), 'bin/ferryman', '--version'], { stdio: 'ignore' })
    return asNobody
  } catch {
    return undefined
  }
}

/**
 * Runs a program until its own input ends, as it does when this process dies, however that comes about. SIGINT is
 * PostgreSQL's fast shutdown: open connections are ended.
 */
const ENDS_WITH_US = `exec 3<&0
"$@" 3<&- & server=$!
{ read -r _ <&3; kill -INT "$server"; } &
wait "$server"`

/** A private cluster in a temporary folder, durable as in production, on a free port of loopback. */
async function startPostgres() {
  const bin = findPostgres()
  const user = bin === undefined ? undefined : userFor()
  if (bin === undefined || user === undefined) return undefined
  const folder = mkdtempSync(join(tmpdir(), 'ferryman-postgres-'))
  if (user.uid !== undefined) chownSync(folder, user.uid, user.gid ?? user.uid)
  const data = join(folder, 'data')
  const options = { ...(user.uid === undefined ? {} : { uid: user.uid, gid: user.gid }), cwd: folder }
  execFileSync(
    join(bin, 'initdb'),
    ['-D', data, '-U', 'ferryman', '-A', 'trust', '-E', 'UTF8', '--locale=C'],
    {
      ...options,
      stdio: 'ignore',
    },
  )
  const port = await freePort()
  const words = ['-D', data, '-c', 'listen_addresses=127.0.0.1', '-p', String(port), '-k', folder]
  const server = spawn('/bin/sh', ['-c', ENDS_WITH_US, 'sh', join(bin, 'postgres'), ...words], {
    ...options,
    stdio: ['pipe', 'ignore', 'pipe'],
  })
  await ready(server)
  return {
    address: `postgres://ferryman@127.0.0.1:${port}/postgres`,
    async stop() {
      const ended = once(server, 'exit')
      server.stdin.end()
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** The newest server on this machine: Debian keeps its programs off PATH. */
function findPostgres(): string | undefined {
  const root = '/usr/lib/postgresql'
  const versions = existsSync(root) ? readdirSync(root).toSorted((a, b) => Number(b) - Number(a)) : []
  return versions
    .map((version) => join(root, version, 'bin'))
    .find((bin) => existsSync(join(bin, 'postgres')))
}

/** PostgreSQL refuses to run as root: there it runs as the user that its package made. */
function userFor(): { uid?: number; gid?: number } | undefined {
  if (process.getuid?.() !== 0) return {}
  try {
    const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }))
    return { uid: id('-u'), gid: id('-g') }
  } catch {
    return undefined
  }
}

/** A port of loopback that nobody listens on at this moment. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  probe.close()
  await once(probe, 'close')
  return port
}

/** Resolves when the server says that it takes connections; rejects with what it said when it ends instead. */
function ready(server: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = ''
    server.stderr?.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      if (said.includes('ready to accept connections')) resolve()
    })
    server.once('error', reject)
    server.once('exit', () => reject(new Error(`PostgreSQL did not start:\n${said}`)))
  })
}
