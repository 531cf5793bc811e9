import { existsSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { ferryman } from '../support/cli.ts'
import { serve, type Served } from '../support/journey.ts'

const SECRET_VALUE = 'a-very-secret-value'

const served = (): Promise<Served> =>
  serve({
    isPrivate: false, // its token may only write deployments
    environment: { SHOP_TOKEN: SECRET_VALUE },
    commands: [
      ['touch', 'ran-{short_sha}'],
      ['echo', SECRET_VALUE, '{payload.why}'],
    ],
    entry: {
      env: { SHOP_TOKEN: '${SHOP_TOKEN}', NODE_ENV: 'production' },
      hooks: { before: [['sh', '-c', 'exit 75']], after_failure: [['./cry', '{environment}']] },
      tasks: { migrate: { commands: [{ name: 'the database', run: ['./migrate'], timeout: '5m' }] } },
    },
  })
const plan = ({ configFile }: Served, ...words: string[]) => ferryman(['plan', ...words, '-c', configFile])

test('a plan shows steps, place, user and variables of a ref, a way back, a task and a delivery, and runs nothing', async () => {
  const world = await served()
  const sha = world.sha.slice(0, 7)

  const head = await plan(world, 'acme/shop')
  expect(head).toMatchObject({ code: 0, err: '' })
  expect(head.out).toContain(`acme/shop production: would deploy ${sha} (main); nothing is there yet\n`)
  expect(head.out).toContain(`where          ${world.folder}, in the lane acme/shop/production\n`)
  expect(head.out).toMatch(/before +sh -c 'exit 75' {2}# exit 75 holds it\n {2}work +touch ran-/)
  expect(head.out).toMatch(
    new RegExp(`work +touch ran-${sha}\n +echo ••• ''\n {2}after failure +\\./cry production\n`),
  )
  expect(head.out).toContain('NODE_ENV=production\n')
  expect(head.out).toContain('SHOP_TOKEN=•••\n')
  expect(head.out).toContain(`FERRYMAN_SHA=${world.sha}\n`)
  expect(head.out).not.toContain(SECRET_VALUE)

  const task = await plan(world, 'acme/shop', '--task', 'migrate')
  expect(task.out).toContain(`would run the task migrate for ${sha}`)
  expect(task.out).toMatch(/work +\.\/migrate {2}# the database, at most 300 s\n/)

  await ferryman(['lock', 'acme/shop', '--reason', 'the sale', '-c', world.configFile])
  const held = await world.deploy({ payload: { why: 'because' } })
  await world.waitForJournal((line) => line.includes('deployment:held') && line.includes('the sale'))
  const delivery = await plan(world, '--delivery', '1', '--json')
  expect(JSON.parse(delivery.out)).toMatchObject({
    verdict: 'queued',
    plans: [
      {
        steps: expect.arrayContaining([expect.objectContaining({ name: 'echo ••• because' })]),
        waits: { reason: 'locked' },
      },
    ],
  })

  for (const [words, why] of [
    [['acme/shop', ':previous'], 'There is no :previous of acme/shop production.'],
    [['acme/shop', '--task', 'mow'], 'acme/shop production knows no task mow.'],
    [['acme/shopp'], 'did you mean'],
  ] as const) {
    const refused = await plan(world, ...words)
    expect({ words, code: refused.code }).toEqual({ words, code: 1 })
    expect(refused.err.toLowerCase()).toContain(why.toLowerCase())
  }
  expect(existsSync(join(world.folder, `ran-${sha}`))).toBe(false)
  expect(world.repository.deployments.map(({ id }) => id)).toEqual([held.id])
})

test('somebody runs a task from the command line', async () => {
  const world = await served()
  await ferryman(['deploy', 'acme/shop', '--task', 'migrate', '--wait', '-c', world.configFile])

  expect(world.repository.deployments).toMatchObject([{ task: 'migrate' }])
  const refused = await ferryman(['deploy', 'acme/shop', '--task', 'mow', '-c', world.configFile])
  expect(refused).toMatchObject({ code: 1 })
  expect(refused.err).toContain('knows no task mow')
})
