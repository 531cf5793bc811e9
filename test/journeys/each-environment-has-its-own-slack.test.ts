import { expect, test } from 'vitest'

import { createWorld, serve, type World } from '../support/journey.ts'
import { ferryman } from '../support/cli.ts'
import { eventually } from '../support/running.ts'

const ALL = ['queued', 'started', 'succeeded', 'failed', 'cancelled']

/** acme/shop with an environment for each of these, all in one folder. */
const shop = ({ folder }: World, environments: Readonly<Record<string, object>>, slack: object = {}) => ({
  repositories: {
    'acme/shop': { folder, lane: 'shop', commands: [['true']], notify: { slack }, environments },
  },
})

test('each environment tells its own channel what it was asked to tell', async () => {
  let own = ''
  const world = await serve({
    prepare(empty) {
      own = empty.slack.addWebhook()
      const address = { webhook_url: own }
      empty.writeConfig(
        shop(empty, {
          production: { notify: { slack: { ...address, events: ALL } } },
          staging: { notify: { slack: { events: ['succeeded'] } } },
          preview: { notify: { slack: 'off' } },
          review: {},
        }),
      )
    },
  })

  for (const environment of ['production', 'staging', 'preview', 'review'])
    await world.status(await world.deploy({ environment }), 'success')
  await world.slack.waitFor(({ text }) => text?.startsWith('Deployed acme/shop/review') === true)
  await world.stop()

  const said = (url: string) =>
    world.slack.messages.flatMap(({ to, text = '' }) =>
      to === url ? text.split(' ').slice(0, 2).join(' ') : [],
    )
  expect(said(own)).toEqual([
    'Queued acme/shop/production#1',
    'Deploying acme/shop/production#1',
    'Deployed acme/shop/production#1',
  ])
  expect(said(world.slack.url)).toEqual([
    'Deployed acme/shop/staging#1',
    'Deploying acme/shop/review#1',
    'Deployed acme/shop/review#1',
  ])
  const records = [...world.journal, ...world.terminal].join('\n')
  expect(records).not.toContain(new URL(own).pathname)
})

test('an address that is broken holds up no other environment, and is mended by a new one', async () => {
  let broken = ''
  const world = await serve({
    prepare(empty) {
      broken = empty.slack.addWebhook()
      empty.writeConfig(
        shop(
          empty,
          { production: { notify: { slack: { webhook_url: broken } } }, staging: {} },
          { events: ['succeeded'] },
        ),
      )
      empty.slack.fail({ path: new RegExp(`^${new URL(broken).pathname}$`), times: 1_000, with: 'reset' })
    },
  })
  const deployed = (place: string) => (text: string | undefined) =>
    text?.startsWith(`Deployed ${place}`) === true

  await world.status(await world.deploy({ environment: 'production' }), 'success')
  await world.status(await world.deploy({ environment: 'staging' }), 'success')
  await world.slack.waitFor(({ text }) => deployed('acme/shop/staging')(text))
  expect(world.slack.messages).toHaveLength(1)

  const another = world.slack.addWebhook()
  world.writeConfig(shop(world, { production: { notify: { slack: { webhook_url: another } } }, staging: {} }))
  await world.reload()
  const mended = await world.slack.waitFor(({ text }) => deployed('acme/shop/production')(text))
  expect(mended.to).toBe(another)
})

test('without a general address only those with one of their own are told', async () => {
  let own = ''
  const world = await serve({
    prepare(empty) {
      own = empty.slack.addWebhook()
      const told = { slack: { webhook_url: own } }
      empty.writeConfig({ slack: false, ...shop(empty, { production: { notify: told }, staging: {} }) })
    },
  })

  for (const environment of ['staging', 'production'])
    await world.status(await world.deploy({ environment }), 'success')
  await eventually('production is told', () => world.slack.messages.length === 2)

  expect(world.slack.messages.map(({ to }) => to)).toEqual([own, own])
  expect(world.journal.filter((line) => line.includes('"report:refused"'))).toEqual([])
})

test('check looks at every address, and posts nothing', async () => {
  const world = await createWorld()
  const [sound, gone] = [world.slack.addWebhook(), world.slack.addWebhook()]
  world.slack.fail({
    path: new RegExp(`^${new URL(gone).pathname}$`),
    with: { status: 404, body: 'no_service' },
  })
  world.writeConfig(
    shop(world, {
      production: { notify: { slack: { webhook_url: sound } } },
      staging: { notify: { slack: { webhook_url: gone } } },
      review: { notify: { slack: { webhook_url: gone } } },
    }),
  )

  const { out, code } = await ferryman(['check', '-c', world.configFile])

  expect(out).toContain('✔ Slack: the address takes messages')
  expect(out).toContain('✔ Slack: the address of acme/shop production takes messages')
  expect(out).toContain('✘ Slack: the address of acme/shop staging answers 404 no_service')
  expect(out).toContain('Make a new incoming webhook and set notify.slack.webhook_url.')
  expect(out).not.toContain('review answers')
  expect(code).toBe(1)
  expect(world.slack.messages).toEqual([])
})
