import { expect, test } from 'vitest'

import { openShop } from '../support/merging.ts'

const described = (statuses: readonly string[]): string | undefined =>
  /^success: Deployed (\w{7}.*), in /.exec(statuses.at(-1) ?? '')?.[1]

test('GitHub and Slack are told what came since the last deployment, and what is gone after going back', async () => {
  const shop = await openShop()
  const first = await shop.commit('Faster')
  await shop.merge(first)
  const begun = await shop.made(first)
  await shop.status(begun, 'success')

  await shop.commit('Sell tea <!channel> (#12)')
  const second = await shop.commit('Sell coffee')
  await shop.merge(second)
  const forward = await shop.made(second)
  await shop.status(forward, 'success')
  const back = await shop.deploy({ ref: first, auto_merge: false, required_contexts: [] })
  await shop.status(back, 'success')

  expect(described(shop.statuses(begun))).toBe(first.slice(0, 7))
  expect(described(shop.statuses(forward))).toBe(`${second.slice(0, 7)} (2 commits)`)
  expect(described(shop.statuses(back))).toBe(`${first.slice(0, 7)} (back by 2 commits)`)
  const told = (number: number) =>
    shop.slack.waitFor(({ text }) => text?.startsWith(`Deployed acme/shop/production#${number} `) ?? false)
  const came = JSON.stringify((await told(2)).blocks)
  expect(came).toContain(`/acme/shop/compare/${first}...${second}|${first.slice(0, 7)}> by `)
  expect(came).toContain('/acme/shop/pull/12|#12> Sell tea &lt;!channel&gt;')
  expect(JSON.stringify((await told(3)).blocks)).toContain('Back by 2 commits from ')
})

test('a comparison that GitHub does not answer delays no end by more than two seconds, and changes none', async () => {
  const shop = await openShop()
  const first = await shop.commit('Faster')
  await shop.merge(first)
  await shop.status(await shop.made(first), 'success')
  const second = await shop.commit('Sell tea')
  shop.github.fail({ path: new RegExp(`/compare/${first}\\.\\.\\.${second}`), with: 'hang' })

  const deployment = await shop.deploy({ ref: second, auto_merge: false, required_contexts: [] })
  await shop.status(deployment, 'success')

  expect(described(shop.statuses(deployment))).toBe(second.slice(0, 7))
  expect(shop.github.requests.filter(({ lost }) => lost === 'hang')).toHaveLength(1)
})
