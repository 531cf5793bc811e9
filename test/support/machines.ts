import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'

import { inject, onTestFinished } from 'vitest'

import { freePort } from './needs.ts'
import { temporaryFolder } from './running.ts'

/** A machine that can be reached over ssh: an OpenSSH server of this user on loopback. */
interface Machine {
  readonly name: string
  /** On 127.0.0.1. */
  readonly port: number
  /** Where a playbook may put things: the inventory's `home`. */
  readonly home: string
  stop(): Promise<void>
}

export interface Machines {
  readonly machines: readonly Machine[]
  /** The text of an inventory that reaches all of them, with keys and known hosts of its own. */
  readonly inventory: string
  /** The file of the host keys that are trusted. */
  readonly knownHosts: string
  /** The private key that lets in. */
  readonly key: string
}

/** Starts as many machines; they are gone after the test. */
export async function startMachines(...names: readonly string[]): Promise<Machines> {
  const folder = temporaryFolder()
  const key = makeKey(join(folder, 'user'))
  const knownHosts = join(folder, 'known_hosts')
  const started = await Promise.all(names.map((name) => startMachine(name, folder)))
  writeFileSync(knownHosts, started.map(({ hostKey, port }) => `[127.0.0.1]:${port} ${hostKey}\n`).join(''))
  const options = `-F none -o UserKnownHostsFile=${knownHosts} -o GlobalKnownHostsFile=/dev/null -o IdentitiesOnly=yes`
  const inventory = [
    ...started.map(({ machine, port }) => `${machine.name} ansible_port=${port} home=${machine.home}`),
    '[all:vars]',
    'ansible_host=127.0.0.1',
    `ansible_user=${userInfo().username}`,
    `ansible_ssh_private_key_file=${key}`,
    `ansible_ssh_common_args="${options}"`,
    // Both are about speed: no look for a Python, and fewer connections for each task.
    'ansible_python_interpreter="{{ ansible_playbook_python }}"',
    'ansible_pipelining=true',
    `ansible_remote_tmp=${join(folder, 'tmp')}`,
  ]
  return {
    machines: started.map(({ machine }) => machine),
    inventory: `${inventory.join('\n')}\n`,
    knownHosts,
    key,
  }
}

async function startMachine(name: string, folder: string) {
  const home = join(folder, name)
  const user = join(folder, `${name}-user`)
  for (const one of [home, user]) mkdirSync(one)
  // The server drops its rights into this folder when root starts it; Debian makes it with the service.
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 })
  const hostKey = makeKey(join(folder, `${name}-host`))
  const port = await freePort()
  const settings = join(folder, `${name}.conf`)
  writeFileSync(
    settings,
    [
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${hostKey}`,
      `AuthorizedKeysFile ${join(folder, 'user.pub')}`,
      'StrictModes no',
      'UsePAM no',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'PermitRootLogin prohibit-password',
      'PidFile none',
      // What this user's shell does at its start would be done for every task, and may take seconds.
      `SetEnv HOME=${user}`,
      'Subsystem sftp internal-sftp',
      '',
    ].join('\n'),
  )
  const server = spawn(inject('sshd') ?? '', ['-D', '-e', '-f', settings], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const ended = once(server, 'exit')
  const stop = async (): Promise<void> => {
    server.kill('SIGTERM')
    await ended
  }
  onTestFinished(stop)
  await listening(server.stderr)
  const machine: Machine = { name, port, home, stop }
  return { machine, port, hostKey: readFileSync(`${hostKey}.pub`, 'utf8').trim() }
}

function makeKey(file: string): string {
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file])
  return file
}

/** Resolves when the server says that it takes connections; rejects with what it said when it ends instead. */
function listening(output: NodeJS.ReadableStream): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = ''
    output.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      if (said.includes('Server listening')) resolve()
    })
    output.once('end', () => reject(new Error(`sshd did not start:\n${said}`)))
  })
}
