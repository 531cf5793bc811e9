import { deflateSync, gzipSync } from 'node:zlib'

import { bytesOf, deployable, delivery, sign, type Case } from './case.ts'

const FORM = 'application/x-www-form-urlencoded'

const types = (status: number, says: string, list: Readonly<Record<string, string | undefined>>): Case[] =>
  Object.entries(list).map(([name, type]) =>
    delivery(`content type ${name}`, status, says, {
      event: 'ping',
      headers: { 'content-type': type },
    }),
  )

const CONTENT_TYPES: readonly Case[] = [
  ...types(200, 'ping', {
    'with a charset': 'application/json; charset=utf-8',
    'with another charset, which changes nothing': 'application/json; charset=utf-16',
    'in upper case': 'APPLICATION/JSON',
    'with a boundary': 'application/json; boundary=x',
    'with spaces': 'application/json  ;charset=utf-8',
    'with a semicolon at its end': 'application/json;',
  }),
  ...types(400, 'content_type_unsupported', {
    'text/plain': 'text/plain',
    'text/json': 'text/json',
    'of a patch': 'application/json-patch+json',
    'with a suffix': 'application/vnd.github+json',
    'as a list': 'application/json, text/plain',
    'of several parts': 'multipart/form-data; boundary=x',
    'of any kind': '*/*',
    'that is empty': '',
    'that is missing': undefined,
    'that is a path': '../../etc/passwd',
    'that is long': 'x'.repeat(5_000),
    'with script in it': '<script>alert(1)</script>',
    'that begins with a space and a comma': ' ,application/json',
  }),
  delivery('content type twice, the first one counts', 200, 'ping', {
    event: 'ping',
    headers: { 'content-type': ['application/json', 'text/plain'] },
  }),
  ...Object.entries({
    gzip: gzipSync(deployable()),
    deflate: deflateSync(deployable()),
    br: Buffer.from(deployable()),
    'gzip, gzip': gzipSync(gzipSync(deployable())),
    'x-unknown': Buffer.from(deployable()),
    '': Buffer.from(deployable()),
  }).map(([encoding, body]) =>
    delivery(`content encoding ${encoding || 'that is empty'}`, 400, 'content_encoding_unsupported', {
      headers: { 'content-encoding': encoding },
      body,
    }),
  ),
  ...['identity', 'Identity'].map((encoding) =>
    delivery(`content encoding ${encoding}`, 200, 'ping', {
      event: 'ping',
      headers: { 'content-encoding': encoding },
    }),
  ),
]

const signature = (
  name: string,
  says: string,
  make: (body: string) => string | readonly string[] | undefined,
): Case => {
  const body = deployable()
  return delivery(`signature ${name}`, 401, says, { body, headers: { 'x-hub-signature-256': make(body) } })
}
const hex = (body: string): string => sign(body).slice('sha256='.length)

const SIGNATURES: readonly Case[] = [
  signature('missing', 'signature_missing', () => undefined),
  signature('empty', 'signature_missing', () => ''),
  ...(
    [
      ['of another body', () => sign('other')],
      ['by another secret', (body) => sign(body, 'guess')],
      ['by the secret with a line break', (body) => sign(body, 'a-webhook-secret-for-tests\n')],
      ['by the secret with a space before', (body) => sign(body, ' a-webhook-secret-for-tests')],
      ['in upper case', (body) => `sha256=${hex(body).toUpperCase()}`],
      ['with its prefix in upper case', (body) => `SHA256=${hex(body)}`],
      ['without its prefix', (body) => hex(body)],
      ['with the prefix of sha1', (body) => `sha1=${hex(body)}`],
      ['with the prefix of sha512', (body) => `sha512=${hex(body)}`],
      ['of sha1 under the new name', (body) => sign(body, undefined, 'sha1')],
      ['of sha512 under the new name', (body) => sign(body, undefined, 'sha512')],
      ['without a digit at its end', (body) => sign(body).slice(0, -1)],
      ['with a digit more', (body) => `${sign(body)}0`],
      [
        'with a wrong digit at its end',
        (body) => sign(body).replace(/.$/, (last) => (last === '0' ? '1' : '0')),
      ],
      ['of its first half alone', (body) => sign(body).slice(0, 39)],
      ['of zeros', () => `sha256=${'0'.repeat(64)}`],
      ['of nothing but the prefix', () => 'sha256='],
      ['with a space inside', (body) => `sha256= ${hex(body)}`],
      ['in quotes', (body) => `"${sign(body)}"`],
      ['in base64', (body) => `sha256=${Buffer.from(hex(body), 'hex').toString('base64')}`],
      ['in two headers, both right', (body) => [sign(body), sign(body)]],
      ['in two headers, the second right', (body) => [sign('other'), sign(body)]],
      ['as a list', (body) => `${sign('other')}, ${sign(body)}`],
      ['in letters beyond ASCII', () => `sha256=${'é'.repeat(32)}`],
      ['in digits of another script', () => `sha256=${'٠'.repeat(64)}`],
      ['of five thousand characters', () => `sha256=${'0'.repeat(5_000)}`],
      ['that is a template', () => 'sha256={{signature}}'],
      ['that is "none"', () => 'none'],
    ] as readonly (readonly [string, (body: string) => string | readonly string[]])[]
  ).map(([name, make]) => signature(name, 'signature_wrong', make)),
  delivery('signature of sha1 alone, in its old header', 401, 'signature_missing', {
    headers: { 'x-hub-signature-256': undefined, 'x-hub-signature': sign(deployable(), undefined, 'sha1') },
  }),
  delivery('signature right in the old header, wrong in the new one', 401, 'signature_wrong', {
    body: '{}',
    headers: { 'x-hub-signature': sign('{}', undefined, 'sha1'), 'x-hub-signature-256': sign('other') },
  }),
  delivery('signature with spaces around, which are no part of a header', 200, 'ping', {
    event: 'ping',
    body: '{}',
    headers: { 'x-hub-signature-256': `  ${sign('{}')}  ` },
  }),
  delivery('signature over the body as text, where the body is no UTF-8', 401, 'signature_wrong', {
    body: Buffer.from([0x7b, 0xff, 0x7d]),
    signed: '{\ufffd}',
  }),
  delivery('signature over the very bytes, where they are no UTF-8', 401, 'signature_wrong', {
    body: Buffer.from([0x7b, 0xff, 0x7d]),
  }),
  delivery('signature over the body without its last line break', 401, 'signature_wrong', {
    body: `${deployable()}\n`,
    signed: deployable(),
  }),
  delivery('signature of Slack', 401, 'signature_missing', {
    headers: { 'x-hub-signature-256': undefined, 'x-slack-signature': 'v0=00', 'x-gitlab-token': 'x' },
  }),
]

const guid = (
  name: string,
  status: number,
  says: string,
  value: string | readonly string[] | undefined,
): Case =>
  delivery(`delivery id ${name}`, status, says, { event: 'ping', headers: { 'x-github-delivery': value } })
const event = (
  name: string,
  status: number,
  says: string,
  value: string | readonly string[] | undefined,
): Case => delivery(`event ${name}`, status, says, { headers: { 'x-github-event': value } })

const NAMES: readonly Case[] = [
  guid('of a hundred characters', 200, 'ping', 'x'.repeat(100)),
  guid('missing', 400, 'headers_missing', undefined),
  guid('empty', 400, 'headers_missing', ''),
  guid('of a hundred and one characters', 400, 'headers_missing', 'x'.repeat(101)),
  guid('that is a path', 400, 'headers_missing', '../../../etc/cron.d/x'),
  guid('with a quote', 400, 'headers_missing', "'; drop table deliveries; --"),
  guid('with a colon', 400, 'headers_missing', 'a:b'),
  guid('beyond ASCII', 400, 'headers_missing', 'дeplоy'),
  guid('twice', 400, 'headers_missing', ['a', 'b']),
  guid('with a tab', 400, 'headers_missing', 'a\tb'),
  event('missing', 400, 'headers_missing', undefined),
  event('empty', 400, 'headers_missing', ''),
  event('twice', 400, 'headers_missing', ['ping', 'deployment']),
  event('in upper case', 400, 'headers_missing', 'Deployment'),
  event('of a thousand characters', 400, 'headers_missing', 'x'.repeat(1_000)),
  event('beyond ASCII', 400, 'headers_missing', 'dеployment'),
  event('with a terminal sequence, as text', 400, 'headers_missing', String.raw`\u001b[2J`),
  event('that is a path', 400, 'headers_missing', '../ping'),
  event('that every object has: constructor', 200, 'event_not_used', 'constructor'),
  event('that every object has: __proto__', 200, 'event_not_used', '__proto__'),
  event('that every object has: to_string', 200, 'event_not_used', 'to_string'),
  event('that GitHub may invent one day', 200, 'event_not_used', 'teleport'),
  event('of a workflow', 200, 'event_not_used', 'workflow_run'),
  event('of a deployment status', 200, 'deployment_status_noted', 'deployment_status'),
  event('ping with the body of a deployment', 200, 'ping', 'ping'),
  event('push with the body of a deployment', 400, 'body_wrong_shape', 'push'),
  event('of a merge with the body of a deployment', 200, 'action_not_used', 'pull_request'),
  event('of a check with the body of a deployment', 400, 'body_wrong_shape', 'check_run'),
]

const form = (name: string, status: number, says: string, body: string, signed = body): Case =>
  delivery(`form ${name}`, status, says, { event: 'ping', headers: { 'content-type': FORM }, body, signed })
const encoded = (text: string): string => new URLSearchParams({ payload: text }).toString()

const FORMS: readonly Case[] = [
  form('as GitHub sends it', 200, 'ping', encoded('{"zen":"é & = + %"}')),
  form('with a field before', 200, 'ping', `a=b&${encoded('{}')}`),
  form('with the payload twice, the first one counts', 200, 'ping', `${encoded('{}')}&payload=nonsense`),
  form('with spaces for plus signs', 200, 'ping', 'payload=%7B+%7D'),
  form('that is not encoded', 200, 'ping', 'payload={"zen":"x"}'),
  form('without a payload', 400, 'body_not_json', 'a=b'),
  form('with a payload in upper case', 400, 'body_not_json', 'PAYLOAD=%7B%7D'),
  form('with a payload as a list', 400, 'body_not_json', 'payload[]=%7B%7D'),
  form('with an empty payload', 400, 'body_not_json', 'payload='),
  form('with a payload that is encoded twice', 400, 'body_not_json', encoded(encodeURIComponent('{}'))),
  form('with half an encoding', 400, 'body_not_json', 'payload=%7B%7'),
  form('with a payload that is a list', 400, 'body_not_json', encoded('[]')),
  form('that is JSON', 400, 'body_not_json', '{"zen":"x"}'),
  form('signed over what it decodes to', 401, 'signature_wrong', encoded('{}'), '{}'),
  form('signed over its JSON', 401, 'signature_wrong', encoded(deployable()), deployable()),
  form('of ten thousand fields', 200, 'ping', `${'a=b&'.repeat(10_000)}${encoded('{}')}`),
  delivery('form that says it is JSON', 400, 'body_not_json', { body: encoded(deployable()) }),
]

/** The same body under a header more than once must not become two deliveries. */
const REPEATS: readonly Case[] = [
  {
    name: 'the very same ping twice on one connection',
    bytes: Buffer.concat([
      bytesOf({
        event: 'ping',
        body: '{}',
        headers: { 'x-github-delivery': 'same', connection: 'keep-alive' },
      }),
      bytesOf({ event: 'ping', body: '{}', headers: { 'x-github-delivery': 'same' } }),
    ]),
    status: [200, 200],
  },
]

/** Who sent it, and how it says so. */
export const IDENTITY: readonly Case[] = [...CONTENT_TYPES, ...SIGNATURES, ...NAMES, ...FORMS, ...REPEATS]
