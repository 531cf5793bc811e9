import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { ferryman } from '../support/cli.ts'
import { serve, type Served } from '../support/journey.ts'

const ONE_LINE_EACH = ['sh', '-c', 'echo "$GITHUB_DEPLOYMENT_ID" >> started']
const startedIn = ({ folder }: Served): string[] =>
  readFileSync(join(folder, 'started'), 'utf8').trimEnd().split('\n')

test('a deployment is started once, however often GitHub tells of it, and whoever asks for a replay', async () => {
  const world = await serve({ commands: [ONE_LINE_EACH] })
  const deployment = await world.deploy()
  await world.status(deployment, 'success')
  const [sent] = world.github.deliveries.filter(({ event }) => event === 'deployment')
  if (sent === undefined) throw new Error('GitHub has sent nothing.')
  const { headers, body } = sent.request
  const again = (guid?: string) =>
    fetch(`${world.address}/webhooks/github`, {
      method: 'POST',
      headers: { ...headers, ...(guid === undefined ? {} : { 'x-github-delivery': guid }) },
      body,
    }).then((response) => response.json() as Promise<{ verdict: string }>)

  const verdicts = [await again(), await again('another-guid'), await again('another-guid')]
  const replay = await ferryman(['deliveries', 'replay', '1', '-c', world.configFile])
  await world.restart()
  verdicts.push(await again(), await again('after-a-restart'))
  const last = await world.deploy()
  await world.status(last, 'success')

  expect(verdicts.map(({ verdict }) => verdict)).toEqual(Array.from({ length: 5 }, () => 'repeated'))
  expect(replay.out).toContain('nothing was started')
  expect(startedIn(world)).toEqual([String(deployment.id), String(last.id)])
})
