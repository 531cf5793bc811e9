import { deploymentEvent } from '../../support/payloads.ts'
import { SHA } from '../../support/samples.ts'
import { delivery, type Case } from './case.ts'

const json = (name: string, status: number, says: string, body: string | Buffer): Case =>
  delivery(`JSON ${name}`, status, says, { event: 'ping', body })

const deep = (open: string, close: string, depth = 100_000): string =>
  open.repeat(depth) + close.repeat(depth)

const DOCUMENTS: readonly Case[] = [
  json('of nothing but an object', 200, 'ping', '{}'),
  json('with spaces around', 200, 'ping', ' \t\r\n{}\r\n '),
  json('with a key twice', 200, 'ping', '{"action":"a","action":"b"}'),
  json('with a key __proto__', 200, 'ping', '{"__proto__":{"action":"created","isAdmin":true}}'),
  json('with a key constructor', 200, 'ping', '{"constructor":{"prototype":{"isAdmin":true}}}'),
  json('with a key toString', 200, 'ping', '{"toString":1,"valueOf":2,"hasOwnProperty":3}'),
  json('with an empty key', 200, 'ping', '{"":1}'),
  json(
    'with 100,000 keys',
    200,
    'ping',
    JSON.stringify(Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [i, i]))),
  ),
  json('nested 100,000 lists deep', 200, 'ping', `{"a":${deep('[', ']')}}`),
  json('nested 100,000 objects deep', 200, 'ping', `{"a":${deep('{"a":', '}').replace('}', '1}')}}`),
  json('with a number of 10,000 digits', 200, 'ping', `{"a":${'9'.repeat(10_000)}}`),
  json('with a number beyond the largest', 200, 'ping', '{"a":1e999,"b":-1e999}'),
  json('with half a pair of surrogates', 200, 'ping', String.raw`{"a":"\ud800","b":"\udfff"}`),
  json('with a NUL, escaped', 200, 'ping', String.raw`{"a":"\u0000"}`),
  json('with terminal sequences, escaped', 200, 'ping', String.raw`{"a":"\u001b]0;x\u0007\u009b2J\u202e"}`),
  json('with a text of a megabyte', 200, 'ping', JSON.stringify({ zen: 'x'.repeat(1_000_000) })),
  json('with an action that is no text', 400, 'body_wrong_shape', '{"action":1}'),
  json('with an action that is a list', 400, 'body_wrong_shape', '{"action":["created"]}'),
  json(
    'with an action of a thousand characters',
    400,
    'body_wrong_shape',
    JSON.stringify({ action: 'x'.repeat(1_000) }),
  ),
  json('with an action with a NUL', 400, 'body_wrong_shape', String.raw`{"action":"created\u0000"}`),
  json('with a byte order mark', 400, 'body_not_json', '\ufeff{}'),
  json('in UTF-16', 401, 'signature_wrong', Buffer.from('\ufeff{}', 'utf16le')),
  json('in Latin-1', 401, 'signature_wrong', Buffer.from('{"a":"é"}', 'latin1')),
  json('with overlong UTF-8', 401, 'signature_wrong', Buffer.from([0x7b, 0xc0, 0xaf, 0x7d])),
  json('with a surrogate in UTF-8', 401, 'signature_wrong', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])),
  json('with a raw NUL', 400, 'body_not_json', '{"a":"\0"}'),
  json('with a raw line break in a text', 400, 'body_not_json', '{"a":"\n"}'),
  json('with a raw NUL behind it', 400, 'body_not_json', '{}\0'),
  ...(
    [
      ['with a comma at its end', '{"a":1,}'],
      ['with a comment', '{/* x */}'],
      ['with single quotes', "{'a':1}"],
      ['with a key without quotes', '{a:1}'],
      ['with NaN', '{"a":NaN}'],
      ['with Infinity', '{"a":Infinity}'],
      ['with undefined', '{"a":undefined}'],
      ['with a hexadecimal number', '{"a":0x10}'],
      ['with a number that begins with a zero', '{"a":010}'],
      ['with a wrong escape', String.raw`{"a":"\x41"}`],
      ['with half an escape', String.raw`{"a":"\u00"}`],
      ['that breaks off', '{"a":'],
      ['with something behind it', '{} trailing'],
      ['of two documents', '{}{}'],
      ['of two lines', '{}\n{}'],
      ['that is YAML', 'action: created'],
      ['that is XML', '<action>created</action>'],
      ['that is HTML', '<html><script>alert(1)</script></html>'],
      ['that is a form', 'payload=%7B%7D'],
      ['that is a list', '[]'],
      ['that is a list of an object', '[{"action":"created"}]'],
      ['that is a text', '"created"'],
      ['that is a number', '42'],
      ['that is null', 'null'],
      ['that is true', 'true'],
      ['that is nothing but spaces', '   '],
      ['that is a call', 'callback({})'],
      ['with a prefix against hijacking', ")]}',\n{}"],
    ] as const
  ).map(([name, body]) => json(name, 400, 'body_not_json', body)),
]

type Content = Record<string, unknown>

const REPOSITORY = { id: 17, full_name: 'acme/shop', private: true, default_branch: 'main' }
const SENDER = { login: 'mona' }

/** What would call for a deployment, or wake one, were it not for one thing in it. */
const EVENTS: Readonly<Record<string, () => Content>> = {
  deployment: () => ({ ...deploymentEvent() }),
  push: () => ({
    ref: 'refs/heads/main',
    after: SHA,
    deleted: false,
    repository: REPOSITORY,
    sender: SENDER,
  }),
  pull_request: () => ({
    action: 'closed',
    pull_request: { number: 1, title: 'x', merged: true, merge_commit_sha: SHA, base: { ref: 'main' } },
    repository: REPOSITORY,
    sender: SENDER,
  }),
  status: () => ({ sha: SHA, state: 'success', repository: REPOSITORY }),
  check_run: () => ({ action: 'completed', check_run: { head_sha: SHA }, repository: REPOSITORY }),
  check_suite: () => ({ action: 'completed', check_suite: { head_sha: SHA }, repository: REPOSITORY }),
}

/** Every field that we need, by its kind. */
const NEEDED: Readonly<
  Record<string, Readonly<Record<string, 'text' | 'id' | 'commit' | 'name' | 'flag' | 'object'>>>
> = {
  deployment: {
    deployment: 'object',
    'deployment.id': 'id',
    'deployment.sha': 'commit',
    'deployment.ref': 'text',
    'deployment.task': 'text',
    'deployment.environment': 'text',
    repository: 'object',
    'repository.id': 'id',
    'repository.full_name': 'name',
    'repository.private': 'flag',
  },
  push: { ref: 'text', after: 'commit', repository: 'object', 'repository.default_branch': 'text' },
  pull_request: {
    pull_request: 'object',
    'pull_request.number': 'id',
    'pull_request.title': 'text',
    'pull_request.merge_commit_sha': 'commit',
    'pull_request.base': 'object',
    'pull_request.base.ref': 'text',
    'repository.full_name': 'name',
  },
  status: { sha: 'commit', repository: 'object' },
  check_run: { check_run: 'object', 'check_run.head_sha': 'commit', 'repository.id': 'id' },
  check_suite: { check_suite: 'object', 'check_suite.head_sha': 'commit', 'repository.full_name': 'name' },
}

const missing = Symbol('missing')

/** What no field of the kind may be. */
const WRONG: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  text: { 'too long': 'x'.repeat(20_000), 'with a NUL': 'main\0', 'a list': ['main'] },
  id: { zero: 0, negative: -1, 'a fraction': 1.5, 'a text': '17', 'beyond what a number holds': 2 ** 60 },
  commit: {
    short: SHA.slice(0, 7),
    'in upper case': SHA.toUpperCase(),
    'an option': `--upload-pack=touch ${SHA}`,
    'with a line break at its end': `${SHA}\n`,
    'a ref': 'refs/heads/main',
  },
  name: {
    empty: '',
    'a path': '../../etc/passwd',
    'without an owner': 'shop',
    'of dots': '../..',
    'with a line break': 'acme/shop\n',
    'with a space': 'acme/sh op',
    'a URL': 'https://evil.example/acme/shop',
  },
  flag: { 'a text': 'true', 'a number': 1 },
  object: { 'a text': 'x', 'a list': [], 'a number': 1 },
}

function change(content: Content, path: string, value: unknown): Content {
  const [key = '', ...rest] = path.split('.')
  const copy: Content = { ...content }
  if (rest.length > 0) copy[key] = change(Object(copy[key]) as Content, rest.join('.'), value)
  else if (value === missing) delete copy[key]
  else copy[key] = value
  return copy
}

const SHAPES: readonly Case[] = Object.entries(NEEDED).flatMap(([event, fields]) =>
  Object.entries(fields).flatMap(([path, kind]) =>
    Object.entries({ missing, null: null, ...WRONG[kind] }).map(([wrong, value]) =>
      delivery(`${event}: ${path} ${wrong}`, 400, 'body_wrong_shape', {
        event,
        body: JSON.stringify(change(EVENTS[event]?.() ?? {}, path, value)),
      }),
    ),
  ),
)

const deployment = (name: string, status: number, says: string, changes: Content): Case =>
  delivery(`deployment: ${name}`, status, says, {
    body: JSON.stringify(
      Object.entries(changes).reduce<Content>((content, [path, value]) => change(content, path, value), {
        ...deploymentEvent(),
      }),
    ),
  })

const OTHERS: readonly Case[] = [
  deployment('of a repository that nobody configured', 200, 'repository_not_configured', {
    'repository.full_name': 'acme/other',
    'repository.id': 99,
  }),
  deployment('of a repository called __proto__', 200, 'repository_not_configured', {
    'repository.full_name': '__proto__/constructor',
    'repository.id': 99,
  }),
  deployment('to an environment that nobody configured', 200, 'environment_not_configured', {
    'deployment.environment': 'github-pages',
  }),
  deployment('to an environment called __proto__', 200, 'environment_not_configured', {
    'deployment.environment': '__proto__',
  }),
  deployment('to an environment that is a path', 200, 'environment_not_configured', {
    'deployment.environment': '../production',
  }),
  deployment('to an environment with a space at its end', 200, 'environment_not_configured', {
    'deployment.environment': 'production ',
  }),
  deployment('to an environment in other letters that look the same', 200, 'environment_not_configured', {
    'deployment.environment': 'рroduction',
  }),
  deployment('by a job of Actions', 200, 'made_by_actions', { workflow_run: { id: 7 } }),
  deployment('of an action that is none of ours', 200, 'action_not_used', { action: 'deleted' }),
  deployment('with a creator without a login', 400, 'body_wrong_shape', { 'deployment.creator': {} }),
  deployment('with a creator that is a text', 400, 'body_wrong_shape', { 'deployment.creator': 'mona' }),
  deployment('with a creator with a NUL', 400, 'body_wrong_shape', {
    'deployment.creator': { login: 'a\0' },
  }),
  deployment('with an address that is no text', 400, 'body_wrong_shape', { 'deployment.url': 7 }),
  deployment('with a description that is no text', 400, 'body_wrong_shape', { 'deployment.description': {} }),
  deployment('with a description of 200,000 characters', 400, 'body_wrong_shape', {
    'deployment.description': 'x'.repeat(200_000),
  }),
  delivery('deployment: with a payload nested 100,000 lists deep', 400, 'body_wrong_shape', {
    body: JSON.stringify(deploymentEvent({ payload: 'here' })).replace('"here"', deep('[', ']')),
  }),
  delivery('push: of a tag', 200, 'not_a_branch', {
    event: 'push',
    body: JSON.stringify({ ...EVENTS['push']?.(), ref: 'refs/tags/v1' }),
  }),
  delivery('push: that deletes its branch', 200, 'branch_deleted', {
    event: 'push',
    body: JSON.stringify({ ...EVENTS['push']?.(), deleted: true }),
  }),
  delivery('push: to zeros', 200, 'branch_deleted', {
    event: 'push',
    body: JSON.stringify({ ...EVENTS['push']?.(), after: '0'.repeat(40) }),
  }),
  delivery('push: where merges deploy', 200, 'deploys_otherwise', {
    event: 'push',
    body: JSON.stringify(EVENTS['push']?.()),
  }),
  delivery('pull_request: that was only closed', 200, 'not_merged', {
    event: 'pull_request',
    body: JSON.stringify(change(EVENTS['pull_request']?.() ?? {}, 'pull_request.merged', false)),
  }),
  delivery('pull_request: into another branch', 200, 'branch_not_configured', {
    event: 'pull_request',
    body: JSON.stringify(change(EVENTS['pull_request']?.() ?? {}, 'pull_request.base.ref', '--all')),
  }),
  ...['status', 'check_run', 'check_suite'].map((event) =>
    delivery(`${event}: for which nothing waits`, 200, 'nothing_waits', {
      event,
      body: JSON.stringify(EVENTS[event]?.()),
    }),
  ),
]

/** What it says. */
export const CONTENT: readonly Case[] = [...DOCUMENTS, ...SHAPES, ...OTHERS]
