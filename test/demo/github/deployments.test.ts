import { expect, test } from 'vitest'

import { ask, post, shopAtGitHub } from '../../support/doubles.ts'

const DEPLOYMENTS = '/repos/acme/shop/deployments'
const DOCS = 'https://docs.github.com/rest/deployments/deployments#create-a-deployment'

test('a deployment gets the defaults of GitHub', async () => {
  const { github, sha } = await shopAtGitHub()

  const made = await post(github, DEPLOYMENTS, { ref: 'main' })

  expect(made.status).toBe(201)
  expect(made.body).toMatchObject({
    sha,
    ref: 'main',
    task: 'deploy',
    environment: 'production',
    original_environment: 'production',
    description: null,
    payload: {},
    transient_environment: false,
    production_environment: true,
    creator: { login: 'mona' },
  })
})

test('only the environment called production counts as one when nothing is said', async () => {
  const { github } = await shopAtGitHub()

  const staging = await post(github, DEPLOYMENTS, { ref: 'main', environment: 'staging' })
  const said = await post(github, DEPLOYMENTS, {
    ref: 'main',
    environment: 'live',
    production_environment: true,
  })

  expect(staging.body).toMatchObject({ production_environment: false })
  expect(said.body).toMatchObject({ production_environment: true })
})

test.each([[{ a: [1] }], ['{"a":1}'], ['plain words'], ['']])(
  'the payload %j comes back as it was sent',
  async (payload) => {
    const { github } = await shopAtGitHub()

    const made = await post(github, DEPLOYMENTS, { ref: 'main', payload })

    expect(made.body).toMatchObject({ payload })
  },
)

test.each([
  ['a branch', 'main'],
  ['a branch in full', 'refs/heads/main'],
  ['a tag', 'v1'],
  ['a commit', '4caf5f5f40b58aabf4dad47c3a4d929d95aebc30'],
  ['the beginning of a commit id', '4caf5f5'],
])('%s is found', async (_, ref) => {
  const { github, sha } = await shopAtGitHub()
  github.setTag('acme/shop', 'v1', sha)

  const made = await post(github, DEPLOYMENTS, { ref })

  expect(made.body).toMatchObject({ sha, ref })
})

test.each([
  ['an unknown ref', { ref: 'nowhere' }, 'No ref found for: nowhere'],
  ['no ref', {}, 'Invalid request.\n\n"ref" wasn\'t supplied.'],
  [
    'a task that is no text',
    { ref: 'main', task: 5 },
    "Invalid request.\n\nFor 'properties/task', 5 is not a string.",
  ],
  [
    'a payload that is a list',
    { ref: 'main', payload: [1] },
    "Invalid request.\n\nFor 'properties/payload', [1] is not an object or a string.",
  ],
  [
    'a flag that is text',
    { ref: 'main', auto_merge: 'no' },
    'Invalid request.\n\nFor \'properties/auto_merge\', "no" is not a boolean.',
  ],
  [
    'contexts that are no list',
    { ref: 'main', required_contexts: 'ci' },
    'Invalid request.\n\nFor \'properties/required_contexts\', "ci" is not an array of strings.',
  ],
])('%s is refused', async (_, body, message) => {
  const { github } = await shopAtGitHub()

  const refused = await post(github, DEPLOYMENTS, body)

  expect(refused.status).toBe(422)
  expect(refused.body).toMatchObject({ message })
})

test('a body that is no JSON object is refused', async () => {
  const { github } = await shopAtGitHub()

  expect(await post(github, DEPLOYMENTS, '{')).toMatchObject({
    status: 400,
    body: { message: 'Problems parsing JSON' },
  })
  expect(await post(github, DEPLOYMENTS, '[]')).toMatchObject({
    status: 400,
    body: { message: 'Body should be a JSON object' },
  })
})

test('a branch that is behind is merged first, and no deployment is made', async () => {
  const { github, sha } = await shopAtGitHub()
  github.setBranch('acme/shop', 'topic', sha, 'mergeable')

  const merged = await post(github, DEPLOYMENTS, { ref: 'topic' })
  const made = await post(github, DEPLOYMENTS, { ref: 'topic' })

  expect(merged).toMatchObject({
    status: 202,
    body: { message: 'Auto-merged main into topic on deployment.' },
  })
  expect(merged.body).not.toHaveProperty('id')
  expect(made.status).toBe(201)
  expect(made.body).not.toMatchObject({ sha })
})

test('a branch that cannot be merged is a conflict', async () => {
  const { github, sha } = await shopAtGitHub()
  github.setBranch('acme/shop', 'topic', sha, 'conflicting')

  const refused = await post(github, DEPLOYMENTS, { ref: 'topic' })

  expect(refused).toMatchObject({ status: 409, body: { message: 'Conflict merging main into topic' } })
})

test('nothing is merged when auto_merge is off', async () => {
  const { github, sha } = await shopAtGitHub()
  github.setBranch('acme/shop', 'topic', sha, 'conflicting')

  const made = await post(github, DEPLOYMENTS, { ref: 'topic', auto_merge: false })

  expect(made).toMatchObject({ status: 201, body: { sha } })
})

test('without a list, everything that was reported has to be a success', async () => {
  const { github, sha } = await shopAtGitHub()
  github.addCommitStatus('acme/shop', sha, { context: 'ci', state: 'success' })
  github.addCheckRun('acme/shop', sha, { name: 'lint', status: 'completed', conclusion: 'skipped' })
  github.addCheckRun('acme/shop', sha, { name: 'test', status: 'in_progress', conclusion: null })

  const refused = await post(github, DEPLOYMENTS, { ref: 'main' })

  expect(refused.status).toBe(409)
  expect(refused.body).toEqual({
    message: 'Conflict: Commit status checks failed for main.',
    errors: [
      {
        contexts: [
          { context: 'test', state: 'pending' },
          { context: 'lint', state: 'skipped' },
        ],
        resource: 'Deployment',
        field: 'required_contexts',
        code: 'invalid',
      },
    ],
    documentation_url: DOCS,
    status: '409',
  })
})

test('the newest report of a context counts', async () => {
  const { github, sha } = await shopAtGitHub()
  github.addCommitStatus('acme/shop', sha, { context: 'ci', state: 'failure' })
  github.addCommitStatus('acme/shop', sha, { context: 'CI', state: 'success' })

  expect((await post(github, DEPLOYMENTS, { ref: 'main' })).status).toBe(201)
})

test('a required context that nobody reported is pending', async () => {
  const { github } = await shopAtGitHub()

  const refused = await post(github, DEPLOYMENTS, { ref: 'main', required_contexts: ['ci'] })

  expect(refused.body).toMatchObject({ errors: [{ contexts: [{ context: 'ci', state: 'pending' }] }] })
})

test('an empty list of contexts requires none', async () => {
  const { github, sha } = await shopAtGitHub()
  github.addCommitStatus('acme/shop', sha, { context: 'ci', state: 'failure' })

  expect((await post(github, DEPLOYMENTS, { ref: 'main', required_contexts: [] })).status).toBe(201)
})

test('deployments are listed newest first and can be searched', async () => {
  const { github, sha } = await shopAtGitHub()
  for (const environment of ['staging', 'production', 'staging'])
    await post(github, DEPLOYMENTS, { ref: 'main', environment })

  const ids = async (query: string) =>
    ((await ask(github, `${DEPLOYMENTS}${query}`)).body as { id: number }[]).map(({ id }) => id)
  const [third, second, first] = await ids('')

  expect(third).toBeGreaterThan(second ?? 0)
  expect(await ids('?environment=staging')).toEqual([third, first])
  expect(await ids(`?sha=${sha}&task=deploy&ref=main`)).toHaveLength(3)
  expect(await ids('?task=migrate')).toEqual([])
})

test('lists come in pages with links between them', async () => {
  const { github } = await shopAtGitHub()
  for (let count = 0; count < 5; count += 1) await post(github, DEPLOYMENTS, { ref: 'main' })

  const middle = await ask(github, `${DEPLOYMENTS}?per_page=2&page=2`)
  const all = await ask(github, DEPLOYMENTS)

  const at = `${github.url}${DEPLOYMENTS}`
  expect(middle.body).toHaveLength(2)
  expect(middle.headers.get('link')).toBe(
    `<${at}?per_page=2&page=1>; rel="prev", <${at}?per_page=2&page=3>; rel="next", ` +
      `<${at}?per_page=2&page=3>; rel="last", <${at}?per_page=2&page=1>; rel="first"`,
  )
  expect(all.headers.get('link')).toBeNull()
})

test('one deployment can be asked for, and an unknown one is not found', async () => {
  const { github } = await shopAtGitHub()
  const { deployment } = await github.createDeployment('acme/shop', { ref: 'main', task: 'migrate' })

  expect(await ask(github, `${DEPLOYMENTS}/${deployment.id}`)).toMatchObject({
    status: 200,
    body: { task: 'migrate' },
  })
  expect(await ask(github, `${DEPLOYMENTS}/1`)).toMatchObject({ status: 404, body: { message: 'Not Found' } })
})

test('an active deployment can only be deleted when it is the only one', async () => {
  const { github } = await shopAtGitHub()
  const { deployment: first } = await github.createDeployment('acme/shop', { ref: 'main' })
  const { deployment: second } = await github.createDeployment('acme/shop', { ref: 'main' })
  const remove = (id: number) => ask(github, `${DEPLOYMENTS}/${id}`, { method: 'DELETE' })

  expect((await remove(first.id)).status).toBe(422)
  await post(github, `${DEPLOYMENTS}/${first.id}/statuses`, { state: 'inactive' })
  expect((await remove(first.id)).status).toBe(204)
  expect((await remove(second.id)).status).toBe(204)
})
