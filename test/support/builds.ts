import { createServer } from 'node:http'

import { listen } from './loopback.ts'
import { EXECUTABLE, zipOf } from './zips.ts'

/** A server of archives of the shop. */
export interface Builds {
  /** Of the archive of a commit. */
  readonly address: string
  /** What it is answered with. */
  status: number
  /** Instead of an archive that knows its address, and has a program that builds. */
  content: Buffer | undefined
  /** The paths that were asked for. */
  readonly asked: string[]
}

/** Starts it on loopback; with a password only for who brings that. */
export async function openBuilds(password?: string): Promise<Builds> {
  const asked: string[] = []
  const expected = password && `Basic ${Buffer.from(`robot:${password}`).toString('base64')}`
  const port = await listen(
    createServer(({ url = '', headers }, response) => {
      asked.push(url)
      if (expected !== undefined && headers.authorization !== expected) return response.writeHead(401).end()
      response.writeHead(builds.status, { etag: `"version ${asked.length}"` })
      return response.end(builds.content ?? archiveFor(url))
    }),
  )
  const builds: Builds = {
    address: `http://127.0.0.1:${port}/shop-{short_sha}.zip`,
    status: 200,
    content: undefined,
    asked,
  }
  return builds
}

const archiveFor = (url: string): Buffer =>
  zipOf([
    { name: 'version', content: url },
    { name: 'bin/build', content: '#!/bin/sh\ncat .env version > built\n', mode: EXECUTABLE },
  ])
