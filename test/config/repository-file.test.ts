import { describe, expect, test } from 'vitest'

import { readRepositoryFile } from '../../src/config/repository-file.ts'
import { ALLOWABLE, type CommandsRecipe, type InRepository } from '../../src/deployment/recipe.ts'
import { recipe } from '../support/samples.ts'

interface Given {
  readonly allow?: InRepository['allow']
  readonly of?: Partial<CommandsRecipe>
  readonly environment?: string
  readonly task?: string
}

const read = (
  text: string,
  { allow = ALLOWABLE, of = {}, environment = 'production', task = 'deploy' }: Given = {},
) => readRepositoryFile(recipe(of), { file: '.ferryman.yml', allow, text, environment, task })

const said = (text: string, given?: Given) => {
  const reading = read(text, given)
  if ('wrong' in reading) throw new Error(reading.wrong.join('\n'))
  return reading.recipe
}
const wrongIn = (text: string, given?: Given): readonly string[] => {
  const reading = read(text, given)
  return 'wrong' in reading ? reading.wrong : []
}

describe('what a commit says of its own deployment', () => {
  test('takes the place of what the server says, key by key', () => {
    const of = { commands: [['make']], env: { A: { literal: '1' } }, timeoutSeconds: 600 } as const
    const { commands, env, timeoutSeconds, silenceSeconds, folder } = said(
      'commands: [[npm, ci], {run: [npm, run, migrate], name: migrate}]\nenv: {NODE_ENV: production, VERSION: 1.10}\n' +
        'timeout: 5m\nfolder: packages/api\n',
      { of },
    )

    expect(commands).toEqual([['npm', 'ci'], { words: ['npm', 'run', 'migrate'], name: 'migrate' }])
    expect(env).toEqual({
      A: { literal: '1' },
      NODE_ENV: { literal: 'production' },
      VERSION: { literal: '1.10' },
    })
    expect({ timeoutSeconds, folder }).toEqual({ timeoutSeconds: 300, folder: '/{workspace}/packages/api' })
    expect(silenceSeconds).toBe(recipe().silenceSeconds)
  })

  test('may differ between environments, whose part comes first', () => {
    const text =
      'commands: [[all]]\ntimeout: 5m\nenvironments: {Staging: {commands: [[staging]]}, production: {timeout: 4m}}\n'

    expect(said(text, { environment: 'staging' })).toMatchObject({
      commands: [['staging']],
      timeoutSeconds: 300,
    })
    expect(said(text)).toMatchObject({ commands: [['all']], timeoutSeconds: 240 })
  })

  test('has a part of its own for each other task, which never runs what deploys', () => {
    const text =
      'commands: [[deploy]]\nhooks: {before: [[look]]}\nenv: {A: b}\ntasks: {migrate: {commands: [[migrate]]}}\n'
    const of = { commands: [['theirs']] } as const

    expect(said(text, { of, task: 'migrate' })).toMatchObject({
      commands: [['migrate']],
      env: { A: { literal: 'b' } },
      hooks: { before: [] },
    })
    expect(said(text, { of, task: 'seed' }).commands).toEqual([['theirs']])
  })

  test('gives a task the variables and limits of its environment, and none of its commands', () => {
    const text =
      'env: {DB: staging, A: b}\nenvironments: {production: {env: {DB: live}, timeout: 4m, commands: [[deploy]], hooks: {before: [[look]]}}}\n' +
      'tasks: {Migrate: {commands: [[other]]}, migrate: {commands: [[migrate]]}}\n'

    expect(said(text, { task: 'migrate' })).toMatchObject({
      commands: [['migrate']],
      env: { DB: { literal: 'live' }, A: { literal: 'b' } },
      timeoutSeconds: 240,
      hooks: { before: [] },
    })
  })

  test('replaces the hooks that it names, and no others', () => {
    const before = [{ command: ['theirs'] }] as const
    const hooks = { before, verify: before, afterSuccess: [], afterFailure: [], timeoutSeconds: 60 } as const

    expect(said('hooks: {verify: [[./smoke]], timeout: 30s}\n', { of: { hooks } }).hooks).toEqual({
      ...hooks,
      verify: [{ command: ['./smoke'] }],
      timeoutSeconds: 30,
    })
  })
})

describe('what is wrong with it', () => {
  test.each([
    [
      'a key that is not allowed',
      'commands: [[ls]]\ntimeout: 5m\n',
      '2:1 timeout: is for the configuration of the server, which allows commands here (`in_repository`)',
    ],
    [
      'one in another environment',
      'environments:\n  staging:\n    timeout: 5m\n',
      '3:5 environments.staging.timeout: is for the configuration',
    ],
    [
      'an environment twice',
      'environments: {live: {}, Live: {}}\n',
      '1:26 environments.Live: is the same environment as live',
    ],
    [
      'commands in two ways',
      'deploy: ./a\ncommands: [[./b]]\n',
      '1:1 deploy: stands beside commands; write one of them',
    ],
    ['a NUL', 'env: {A: "x\\0y"}\n', '1:7 env.A: expected a text without NUL'],
    ['one in a task', 'tasks:\n  seed: {env: {A: b}}\n', '2:10 tasks.seed.env: is for the configuration'],
    ['a key of the server', 'run_as: root\n', '1:1 run_as: is for the configuration of the server'],
    ['a misspelt key', 'comands: [[ls]]\n', '1:1 comands: unknown key; did you mean commands?'],
    ['a command that is a text', 'commands: [ls]\n', '1:12 commands[0]: expected a list of words'],
    [
      'an unknown placeholder',
      'commands: [[ls, "{shaa}"]]\n',
      '1:17 commands[0][1]: unknown placeholder {shaa}',
    ],
    [
      'a user',
      'commands: [{run: [ls], run_as: root}]\n',
      'commands[0].run_as: who ls runs as is for the configuration of the server',
    ],
    ['no mapping', '- ls\n', '1:1 expected a mapping with keys such as commands'],
    ['nothing', '# later\n', '1:1 expected keys such as commands, got an empty file'],
    [
      'a name that hides what it is',
      'folder: {length: [{toString: 1}]}\n',
      '1:20 folder.length[0].toString: cannot be used as a name',
    ],
    ['no YAML', 'commands: [[ls\n', '.ferryman.yml:2:1'],
  ])('%s', (_, text, message) => {
    expect(wrongIn(text, { allow: ['commands'] }).join('\n')).toContain(message)
  })

  test.each([
    [
      'a longer limit',
      'timeout: 2h\n',
      'is longer than the 3600 s that the configuration of the server allows',
    ],
    ['a longer silence', 'silence_timeout: 2h\n', 'is longer than the 600 s'],
    ['a longer limit of hooks', 'hooks: {timeout: 2h}\n', 'hooks.timeout: is longer than'],
    [
      'a folder of hooks',
      'hooks: {before: ./hooks}\n',
      'hooks.before: a folder is for the configuration of the server',
    ],
    ['the user of a hook', 'hooks: {verify: [{run: [ls], run_as: root}]}\n', 'who ls runs as'],
    [
      'a variable of the server',
      'env: {TOKEN: mine}\n',
      'env.TOKEN: is set by the configuration of the server',
    ],
    ['a variable of ours', 'env: {FERRYMAN_SHA: mine}\n', 'is set by Ferryman itself'],
    ['a secret by its name', 'env: {A: "${TOKEN}"}\n', 'env.A: nothing is looked up for this file'],
    [
      'a secret by its file',
      'env: {A: {file: /etc/shadow}}\n',
      'env.A: expected a text, a number, true or false',
    ],
    ['a folder elsewhere', 'folder: /etc\n', '/etc is not in the checkout'],
    ['a folder above', 'folder: ../other\n', '../other is not in the checkout'],
  ])('%s', (_, text, message) => {
    const of = { env: { TOKEN: { template: '${TOKEN}' } }, timeoutSeconds: 3600, silenceSeconds: 600 }

    expect(wrongIn(text, { of }).join('\n')).toContain(message)
  })

  test('is told all at once, where it stands', () => {
    expect(wrongIn('run_as: root\ncommands: [ls]\n')).toHaveLength(2)
  })
})
