import { expect, test } from 'vitest'

import { deploymentTold } from '../../src/commands/run-show.ts'
import { stepsShown } from '../../src/web/api/steps.ts'
import { ferryman } from '../support/cli.ts'
import { serve } from '../support/journey.ts'

const MOMENT = String.raw`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`

test('a deployment is shown with every step, its exit code and its duration, and why it ended', async () => {
  const world = await serve({
    entry: {
      commands: [
        ['echo', 'a b'],
        { name: 'migrate', run: ['echo', 'migrated'], if: 'changed("db/**")' },
        { name: 'warm up', run: ['sh', '-c', 'exit 7'], continue_on_error: true },
        ['sh', '-c', 'kill -9 $$'],
      ],
      hooks: { after_failure: [['true']] },
    },
  })
  await world.status(await world.deploy(), 'failure')

  const shown = await ferryman(['show', 'Acme/Shop/production#1', '-c', world.configFile])
  const json = await ferryman(['show', '1', '--json', '-c', world.configFile])

  expect(shown).toMatchObject({ code: 0, err: '' })
  const lines = shown.out.replaceAll(/\d+\.\d s/g, '0.0 s').split('\n')
  expect(lines).toEqual([
    "acme/shop/production#1: failed: sh -c 'kill -9 $$' was ended by SIGKILL",
    '',
    `  what  deploy ${world.sha.slice(0, 7)} (main)`,
    '  who   mona',
    expect.stringMatching(
      new RegExp(`^ {2}when {2}asked ${MOMENT}, began ${MOMENT}, ended ${MOMENT} \\(UTC\\)$`),
    ),
    '  why   command_failed',
    expect.stringMatching(/^ {2}log {3}https:\/\/deploy\.example\.org\/deployments\/1\/log\?/),
    '',
    'STEP                     ENDED             TOOK',
    "echo 'a b'               exit 0            0.0 s",
    'migrate: echo migrated   exit 0            0.0 s',
    "warm up: sh -c 'exit 7'  exit 7            0.0 s",
    "sh -c 'kill -9 $$'       ended by SIGKILL  0.0 s",
    'after failure: true      exit 0            0.0 s',
    '',
  ])
  expect(JSON.parse(json.out)).toMatchObject({
    name: 'acme/shop/production#1',
    task: 'deploy',
    state: 'failed',
    reason: 'command_failed',
    finished_at: expect.stringMatching(/^\d{4}-.*Z$/),
    steps: [
      { label: null, ended: 'succeeded', exit_code: 0 },
      { label: 'migrate', ended: 'succeeded' },
      {
        name: "sh -c 'exit 7'",
        label: 'warm up',
        ended: 'failed',
        exit_code: 7,
        signal: null,
        skipped: null,
      },
      { ended: 'failed', exit_code: null, signal: 'SIGKILL' },
      { hook: 'after_failure', ended: 'succeeded' },
    ],
  })
})

test('what was left out says why, and the hosts of a playbook how they fared', () => {
  const nothing = { exitCode: undefined, signal: undefined, seconds: 0 }
  const hosts = [
    { name: 'web1', ok: 3, changed: 0, unreachable: 0, failed: 1, problem: 'no room' },
    { name: 'web2', ok: 4, changed: 2, unreachable: 0, failed: 0 },
  ]
  const steps = stepsShown({
    steps: [
      { name: './migrate', skipped: 'Nothing differs.', ...nothing },
      { name: 'choose the folder', action: 'done', ...nothing, seconds: 1.25 },
      {
        name: 'ansible-playbook site.yml',
        exitCode: 2,
        signal: undefined,
        seconds: 61,
        recap: { hosts, hostCount: 30, hasReportedCommit: false },
      },
    ],
  })
  const sha = 'a84d88e7554fc1fa21bcbc4efae3c782a70d2b9d'
  const at = '2026-11-25T10:24:57.000Z'

  const shown = {
    id: 1,
    name: 'acme/shop/production#1',
    state: 'succeeded',
    sha,
    deployed_sha: `b${sha.slice(1)}`,
    ref: 'main',
    task: 'migrate',
    actor: 'mona',
    creator: 'acme-bot',
    forced: { by: 'mona', why: 'it burns\n\u001b[31m' },
    asked_at: at,
    started_at: null,
    finished_at: null,
    log_url: null,
    steps,
  } as const

  expect(deploymentTold(shown, '/srv/ferryman/data/logs/1'))
    .toBe(`acme/shop/production#1: succeeded: b84d88e is there now, asked for a84d88e

  what    the task migrate at a84d88e (main)
  who     mona through acme-bot
  when    asked 2026-11-25 10:24:57 (UTC)
  forced  by mona: it burns\\n\\u001b[31m
  log     /srv/ferryman/data/logs/1

STEP                       ENDED                      TOOK
./migrate                  skipped: Nothing differs.
choose the folder          succeeded                  1.3 s
ansible-playbook site.yml  exit 2                     61.0 s

HOST  OK  CHANGED  UNREACHABLE  FAILED  PROBLEM
web1  3   0        0            1       no room
web2  4   2        0            0
… and 28 more hosts
`)
})
