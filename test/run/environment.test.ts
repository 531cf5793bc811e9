import { expect, test } from 'vitest'

import { commandEnvironment, type RunSide, type ServerSide } from '../../src/run/environment.ts'
import { runningDeployment } from '../support/running.ts'

const server = (given: Partial<ServerSide> = {}): ServerSide => ({
  environment: {},
  user: { name: 'ferry', home: '/home/ferry', shell: '/bin/bash' },
  npmFolders: ['/opt/ferryman'],
  ...given,
})
const side: RunSide = { runId: 'abcd', previousSha: undefined, payloadFile: '/data/payload.json', env: {} }

test('what the server does not say comes from its user and from the standard', () => {
  expect(commandEnvironment(runningDeployment(), server(), side)).toMatchObject({
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: '/home/ferry',
    USER: 'ferry',
    LOGNAME: 'ferry',
    SHELL: '/bin/bash',
    LC_ALL: 'C.UTF-8',
    FERRYMAN_PREVIOUS_SHA: '',
  })
})

test("npm's additions are taken from PATH, other folders of that name stay", () => {
  const PATH = [
    '/opt/ferryman/node_modules/.bin',
    '/opt/node_modules/.bin',
    '/node_modules/.bin',
    '/usr/lib/node_modules/npm/node_modules/@npmcli/run-script/lib/node-gyp-bin',
    '/home/ferry/tools/node_modules/.bin',
    '/usr/bin',
  ].join(':')

  expect(commandEnvironment(runningDeployment(), server({ environment: { PATH } }), side)['PATH']).toBe(
    '/home/ferry/tools/node_modules/.bin:/usr/bin',
  )
})

test('nothing else of the server is handed on', () => {
  const environment = {
    GITHUB_TOKEN: 'x',
    NODE_OPTIONS: 'x',
    npm_config_x: 'x',
    SLACK_WEBHOOK: 'x',
    INIT_CWD: '/',
    LD_PRELOAD: 'x',
  }

  const values = Object.values(commandEnvironment(runningDeployment(), server({ environment }), side))

  expect(values).not.toContain('x')
})

test('the recipe may set PATH and LC_ALL, and never what Ferryman sets', () => {
  const env = { PATH: '/own', LC_ALL: 'de_DE.UTF-8', FERRYMAN_RUN_ID: 'forged', GITHUB_SHA: 'forged' }

  expect(commandEnvironment(runningDeployment(), server(), { ...side, env })).toMatchObject({
    PATH: '/own',
    LC_ALL: 'de_DE.UTF-8',
    FERRYMAN_RUN_ID: 'abcd',
    GITHUB_SHA: runningDeployment().sha,
  })
})

test('the creator is the person, and a robot lends nobody its picture', () => {
  const byRobot = runningDeployment({ actor: 'mona', creator: 'acme-bot' })
  const byPerson = runningDeployment({ actor: 'mona', creator: 'mona' })

  expect(commandEnvironment(byRobot, server(), side)).toMatchObject({
    GITHUB_CREATOR: 'mona',
    GITHUB_CREATOR_AVATAR: '',
  })
  expect(commandEnvironment(byPerson, server(), side)['GITHUB_CREATOR_AVATAR']).toBe(byPerson.creatorAvatar)
})

test('a NUL, which no environment can hold, is dropped', () => {
  expect(commandEnvironment(runningDeployment(), server(), { ...side, env: { A: 'x\0y' } })['A']).toBe('xy')
})
