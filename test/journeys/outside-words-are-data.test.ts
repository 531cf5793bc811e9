import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { serve } from '../support/journey.ts'

const HOSTILE = [
  '$(touch pwned)',
  '`touch pwned`',
  '; touch pwned #',
  "' touch pwned '",
  '../../../etc/passwd',
  "{{lookup('pipe','touch pwned')}}",
  '{payload.secret} ${HOME} %s %n',
  '<!channel> <@U1> <https://evil.example|ok> &amp;',
  '<script>alert(1)</script>',
  '\u001b]0;title\u0007\u001b[2J\u202eolleh',
  'first\r\n2026-11-21T10:54:00.000Z▸ exit 0\n',
]

test.each(HOSTILE)(
  '%j as ref, environment, description, payload and person is handed on and never read',
  async (word) => {
    const world = await serve({
      commands: [
        ['printf', '%s|', '{ref}', '{environment}', '{payload.word}'],
        ['sh', '-c', 'printf "%s|" "$GITHUB_REF" "$FERRYMAN_PAYLOAD"'],
      ],
      repositories: {
        'acme/shop': {
          folder: './work',
          commands: [
            ['printf', '%s|', '{ref}', '{payload.word}'],
            ['sh', '-c', 'printf "%s|" "$GITHUB_REF" "$GITHUB_TASK"'],
          ],
        },
      },
    })
    world.github.setBranch('acme/shop', word, world.sha)

    const deployment = await world.deploy({
      ref: word,
      description: word,
      payload: { word, deploy_user: word },
    })
    await world.status(deployment, 'success')
    await world.slack.waitFor(({ text }) => text?.startsWith('Deployed') ?? false)

    const log = await world.log(1, '?colours=1')
    expect(log.replaceAll(/^\S+Z /gm, '')).toContain(`${word}|`)
    expect(log.split('\n').filter((line) => /^\S+Z▸ exit /.test(line))).toHaveLength(2)
    expect(existsSync(join(world.folder, 'pwned'))).toBe(false)
    expect(readdirSync(world.folder)).toEqual([])
    for (const message of world.slack.messages)
      expect(JSON.stringify(message)).not.toMatch(/<!channel>|<@U1>|<https:\/\/evil/)
    for (const line of world.journal)
      expect(['\n', '\r', '\u001b'].filter((mark) => line.trimEnd().includes(mark))).toEqual([])
  },
)

test('a value that would become an option is refused before anything runs', async () => {
  const world = await serve({
    commands: [
      ['touch', 'first'],
      ['git', 'fetch', 'origin', '{ref}'],
    ],
  })
  world.github.setBranch('acme/shop', '--upload-pack=touch pwned;git-upload-pack', world.sha)

  const deployment = await world.deploy({ ref: '--upload-pack=touch pwned;git-upload-pack' })
  await world.status(deployment, 'error')

  expect(world.statuses(deployment).at(-1)).toMatch(
    /^error: The argument "\{ref\}" was refused: \{ref\} begins with "-"/,
  )
  expect(readdirSync(world.folder)).toEqual([])
})

test('a task is a name that is looked up, never a path', async () => {
  const world = await serve()

  for (const task of ['../../bin/id', '/bin/id', 'deploy\n', '']) {
    const deployment = await world.deploy({ task: task === '' ? ' ' : task })
    await world.status(deployment, 'error')
    expect(world.statuses(deployment)).toHaveLength(1)
  }
})
