import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { ferryman } from '../support/cli.ts'
import { serve, type Served, type World } from '../support/journey.ts'

const fail = (): never => {
  throw new Error('no such deployment')
}

/** A folder of executables as github-deploy-agent has it, beside the configuration; each writes down what it saw. */
const hooks = (scripts: Readonly<Record<string, string>>) => ({
  repositories: { 'acme/shop': { tasks_folder: './hooks' } },
  prepare({ directory }: World) {
    mkdirSync(join(directory, 'hooks'))
    for (const [name, script] of Object.entries(scripts)) writeScript(join(directory, 'hooks', name), script)
  },
})

function writeScript(path: string, script: string): void {
  writeFileSync(path, `#!/bin/sh\n${script}\n`)
  chmodSync(path, 0o755)
}

const seen = ({ directory }: World): string[] =>
  readFileSync(join(directory, 'seen'), 'utf8').trim().split('\n')
const SEE = 'echo "${0##*/} $GITHUB_TASK $FERRYMAN_RESULT" >> seen'

test('pre_task, the task and post_success run in order, with the ten variables and the payload', async () => {
  const world = await serve({
    ...hooks({
      pre_task: SEE,
      deploy: `${SEE}; env | grep ^GITHUB_ | sort >> variables; cat "$FERRYMAN_PAYLOAD_FILE" > payload`,
      post_success: `${SEE}; test ! -e done; touch done`,
      post_failure: SEE,
    }),
  })

  const deployment = await world.deploy({ payload: { why: 'because' } })
  await world.status(deployment, 'success')

  expect(seen(world)).toEqual(['pre_task deploy ', 'deploy deploy ', 'post_success deploy succeeded'])
  const variables = readFileSync(join(world.directory, 'variables'), 'utf8')
  expect(variables.match(/^GITHUB_\w+(?==)/gm)).toEqual([
    'GITHUB_CREATOR',
    'GITHUB_CREATOR_AVATAR',
    'GITHUB_DEPLOYMENT_ID',
    'GITHUB_DEPLOYMENT_URL',
    'GITHUB_ENV',
    'GITHUB_OWNER',
    'GITHUB_REF',
    'GITHUB_REPO',
    'GITHUB_SHA',
    'GITHUB_TASK',
  ])
  expect(variables).toContain(`GITHUB_SHA=${world.sha}\n`)
  expect(JSON.parse(readFileSync(join(world.directory, 'payload'), 'utf8'))).toMatchObject({ why: 'because' })
})

test('a pre_task that fails is only logged, and a task that fails is told to post_failure before GitHub hears it', async () => {
  const world = await serve({
    ...hooks({
      pre_task: `${SEE}; exit 3`,
      migrate: `${SEE}; echo "no such table" >&2; exit 1`,
      post_failure: `${SEE}; echo "reason $FERRYMAN_REASON" >> seen; exit 9`,
      post_success: SEE,
    }),
  })

  const deployment = await world.deploy({ task: 'migrate' })
  await world.status(deployment, 'failure')

  expect(world.statuses(deployment).at(-1)).toMatch(/^failure: .* exited with 1: no such table$/)
  expect(seen(world)).toEqual([
    'pre_task migrate ',
    'migrate migrate ',
    'post_failure migrate failed',
    'reason command_failed',
  ])
})

test('an unknown task, a path, and a name that is reserved end as an error that names them, and run nothing', async () => {
  const world = await serve({
    ...hooks({ deploy: SEE, pre_task: SEE, post_success: SEE, post_failure: SEE }),
  })

  for (const [task, told] of [
    ['migrate', 'error: Unknown task: migrate'],
    ['../hooks/deploy', 'error: Unknown task: ../hooks/deploy'],
    ['.', 'error: Unknown task: .'],
    ['post_success', 'error: Unknown task: post_success. What is called so runs around every task.'],
  ] as const) {
    const deployment = await world.deploy({ task })
    await world.status(deployment, 'error')
    expect(world.statuses(deployment).at(-1)).toBe(told)
  }
  expect(() => seen(world)).toThrow('ENOENT')
})

test('a task is no deployment: what is live stays what it was', async () => {
  const world = await serve({
    ...hooks({ deploy: 'true', warm: 'echo "$FERRYMAN_PREVIOUS_SHA" > previous' }),
  })
  await world.status(await world.deploy(), 'success')
  const first = world.sha
  const { commits } = await world.github.push('acme/shop', [{ message: 'newer' }])
  await world.status(await world.deploy({ task: 'warm' }), 'success')

  expect(readFileSync(join(world.directory, 'previous'), 'utf8')).toBe(`${first}\n`)
  await world.slack.waitFor(({ text }) => text?.startsWith('Ran warm for acme/shop/production#2') ?? false)
  const [deployment, task] = world.repository.deployments
  expect(world.statuses(task ?? fail()).at(-1)).toMatch(/^success: Ran warm at [0-9a-f]{7}, in /)
  expect(world.statuses(deployment ?? fail()).at(-1)).toMatch(/^success: /)
  expect(commits[0]?.sha).not.toBe(first)
  expect((await ferryman(['why', 'acme/shop', '-c', world.configFile])).out).toContain(first.slice(0, 7))
})

test('tasks of the configuration go before the folder, and run in the folder of their environment', async () => {
  const world: Served = await serve({
    ...hooks({ migrate: 'echo folder >> seen' }),
    repositories: {
      'acme/shop': {
        tasks_folder: './hooks',
        folder: '.',
        commands: [['sh', '-c', 'echo commands >> seen']],
        tasks: { migrate: { commands: [['sh', '-c', 'echo "$0" >> seen', '{task} {payload.which}']] } },
      },
    },
  })
  await world.status(await world.deploy(), 'success')
  await world.status(await world.deploy({ task: 'migrate', payload: { which: 'users' } }), 'success')

  expect(seen(world)).toEqual(['commands', 'migrate users'])
})

test('check tells which tasks there are, and what would never be found', async () => {
  const world = await serve({ ...hooks({ deploy: 'true', pre_task: 'true' }) })
  writeFileSync(join(world.directory, 'hooks', 'not-executable'), '#!/bin/sh\n')
  symlinkSync('deploy', join(world.directory, 'hooks', 'release'))

  const { out } = await ferryman(['check', '-c', world.configFile])

  expect(out).toContain(`tasks in ${join(world.directory, 'hooks')}: deploy, release; around them pre_task`)
})
