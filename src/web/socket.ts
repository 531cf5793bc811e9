import { chmodSync, closeSync, mkdtempSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'

import type { FastifyInstance } from 'fastify'

import { messageOf, problem } from '../errors.ts'

/** The socket of a running server, in its data directory. */
const SOCKET = 'ferryman.sock'
/** Where it is made. */
const FOLDER = '.socket-'

/**
 * Listens on the socket in the data directory, for this user alone: whoever may open it may do everything. One
 * that an earlier life has left is replaced, and so is one that it had not finished. Answers what takes it away
 * again; throws `socket_unusable`.
 */
export async function listenOnSocket(server: FastifyInstance, directory: string): Promise<() => void> {
  const place = join(directory, SOCKET)
  try {
    for (const name of readdirSync(directory).filter((one) => one.startsWith(FOLDER)))
      rmSync(join(directory, name), { recursive: true, force: true })
    // A folder for this user alone, so that nobody comes in before the rights of the socket itself are set.
    const folder = mkdtempSync(join(directory, FOLDER))
    try {
      await withShortPath(folder, (path) => server.listen({ path }))
      chmodSync(join(folder, SOCKET), 0o600)
      renameSync(join(folder, SOCKET), place)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  } catch (cause) {
    throw problem('socket_unusable', { file: place, cause: messageOf(cause) }, cause)
  }
  return () => remove(place)
}

/** One that stays, as on a disk that has become read-only, is replaced by the next start. */
function remove(place: string): void {
  try {
    rmSync(place, { force: true })
  } catch {
    // Nobody listens on it any more.
  }
}

/** Whether a server answers on the socket in this directory. */
export function isServed(directory: string): Promise<boolean> {
  return withShortPath(directory, (path) => {
    const connection = connect({ path })
    return new Promise<boolean>((resolve) => {
      connection.once('connect', () => resolve(true)).once('error', () => resolve(false))
    }).finally(() => connection.destroy())
  }).catch(() => false)
}

/** Linux keeps 108 bytes for the path of a socket, and one for its end: unix(7). */
const MOST_BYTES = 107

/** Calls with a path of the socket in this folder that is short enough, however deep the folder is. */
export async function withShortPath<T>(folder: string, use: (path: string) => Promise<T>): Promise<T> {
  const path = join(folder, SOCKET)
  if (Buffer.byteLength(path) <= MOST_BYTES) return use(path)
  const opened = openSync(folder, 'r')
  try {
    return await use(`/proc/self/fd/${opened}/${SOCKET}`)
  } finally {
    closeSync(opened)
  }
}
