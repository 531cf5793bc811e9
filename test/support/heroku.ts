import { execFileSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { onTestFinished } from 'vitest'

import { bodyOf, listenOnLoopback } from '../../src/demo/loopback.ts'
import { answerGit, passwordIn } from './git-backend.ts'
import { temporaryFolder } from './running.ts'

export const API_KEY = 'HRKU-0123456789abcdef-for-tests'

export interface Heroku {
  /** Where an app is pushed to. */
  urlOf(app: string): string
  /** What its branch is at; undefined where nothing came yet. */
  head(branch?: string): string | undefined
  /** The shell script that builds what is pushed, and takes it if it ends well. */
  builds(script: string): void
  /** The passwords that were shown, oldest first. */
  readonly shown: readonly (string | undefined)[]
  close(): Promise<void>
}

/** Takes pushes to the app `shop` over HTTP for a key, and builds before it takes them, as Heroku does. Gone after the test. */
export async function herokuForTest(): Promise<Heroku> {
  const root = temporaryFolder()
  const folder = join(root, 'shop.git')
  const git = (...words: readonly string[]): string =>
    execFileSync('git', words, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  execFileSync('git', ['init', '--quiet', '--bare', '--initial-branch=main', folder])
  git('config', 'http.receivepack', 'true')
  const builds = (script: string): void =>
    writeFileSync(join(folder, 'hooks/pre-receive'), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  builds('echo "-----> Node.js app detected"; echo "-----> Build succeeded!"')
  const shown: (string | undefined)[] = []
  const server = await listenOnLoopback(0, async (request, response) => {
    const body = await bodyOf(request)
    const password = passwordIn(request)
    shown.push(password)
    const [, app = ''] = /^\/([^/]+)\.git\//.exec(request.url ?? '') ?? []
    if (password !== API_KEY)
      response.writeHead(401, { 'www-authenticate': 'Basic realm="Secure Area"' }).end()
    else if (!existsSync(join(root, `${app}.git`)))
      response.writeHead(404, { 'content-type': 'text/plain' }).end(`!\tNo such app as ${app}.`)
    else await answerGit(root, request, response, body)
  })
  onTestFinished(server.close)
  return {
    urlOf: (app) => `${server.origin}/${app}.git`,
    head(branch = 'main') {
      try {
        return git('rev-parse', '--verify', '--quiet', `refs/heads/${branch}`)
      } catch {
        return undefined
      }
    },
    builds,
    shown,
    close: server.close,
  }
}
