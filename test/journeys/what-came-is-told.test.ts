import { expect, test } from 'vitest'

import { ferryman } from '../support/cli.ts'
import { TOKEN } from '../support/journey.ts'
import { openShop, type Shop } from '../support/merging.ts'

/** Deploys a commit, and answers what GitHub was told of it. */
async function deploy(shop: Shop, sha: string): Promise<string | undefined> {
  const deployment = await shop.deploy({ ref: sha, auto_merge: false, required_contexts: [] })
  await shop.status(deployment, 'success')
  return /^success: Deployed (\w{7}.*), in /.exec(shop.statuses(deployment).at(-1) ?? '')?.[1]
}

/** The blocks of the message that tells of a success. */
async function messageOf({ slack }: Shop, number: number): Promise<string> {
  const isMeant = (text: string | undefined): boolean =>
    text?.startsWith(`Deployed acme/shop/production#${number} `) ?? false
  return JSON.stringify((await slack.waitFor(({ text }) => isMeant(text))).blocks)
}

test('GitHub, Slack and the API are told what came since the last deployment', async () => {
  const shop = await openShop()
  const first = await shop.commit('Faster')
  expect(await deploy(shop, first)).toBe(first.slice(0, 7))
  await shop.commit('Sell tea <!channel> (#12)')
  const second = await shop.commit(`Sell coffee ${TOKEN}`)

  expect(await deploy(shop, second)).toBe(`${second.slice(0, 7)} (2 commits)`)

  const message = await messageOf(shop, 2)
  expect(message).toContain(`/acme/shop/compare/${first}...${second}|${first.slice(0, 7)}> by `)
  expect(message).toContain('/acme/shop/pull/12|#12> Sell tea &lt;!channel&gt;')
  const { out } = await ferryman(['mark-bad', '2', '--json', '-c', shop.configFile])
  expect(JSON.parse(out)).toMatchObject({
    deployment: {
      changes: {
        direction: 'forward',
        commits: [{ sha: second, title: 'Sell coffee •••' }, { title: 'Sell tea <!channel> (#12)' }],
        pull_requests: [{ number: 12, title: 'Sell tea <!channel>' }],
      },
    },
  })
})

test('going back is told as such, with what is not there any more', async () => {
  const shop = await openShop()
  const first = await shop.commit('Faster')
  await deploy(shop, await shop.commit('Sell tea'))

  expect(await deploy(shop, first)).toBe(`${first.slice(0, 7)} (back by 1 commit)`)

  const message = await messageOf(shop, 2)
  expect(message).toContain('Back by 1 commit from ')
  expect(message).toContain('Sell tea')
})

test('a comparison that GitHub does not answer delays no end by more than two seconds, and changes none', async () => {
  const shop = await openShop()
  const first = await shop.commit('Faster')
  await deploy(shop, first)
  const second = await shop.commit('Sell tea')
  shop.github.fail({ path: new RegExp(`/compare/${first}\\.\\.\\.${second}`), with: 'hang' })

  expect(await deploy(shop, second)).toBe(second.slice(0, 7))

  expect(shop.github.requests.filter(({ lost }) => lost === 'hang')).toHaveLength(1)
})
