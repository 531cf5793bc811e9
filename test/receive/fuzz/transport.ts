import { MOST_BODY_BYTES } from '../../../src/receive/body.ts'
import { bytesOf, chunked, deployable, delivery, sign, type Case, type Delivery } from './case.ts'

const CHUNKED = { 'content-length': undefined, 'transfer-encoding': 'chunked' } as const

/** One answer to bytes as they stand. */
const raw = (name: string, status: number, says: string | undefined, bytes: string | Buffer): Case => ({
  name,
  bytes: Buffer.from(bytes),
  status: [status],
  ...(says === undefined ? {} : { says }),
})

/** The right bytes with something replaced in their head. */
function edited(given: Delivery, from: string | RegExp, to: string): Buffer {
  const bytes = bytesOf(given)
  const end = bytes.indexOf('\r\n\r\n')
  const head = bytes.toString('latin1', 0, end)
  if (head.replace(from, to) === head) throw new Error(`Nothing to replace: ${String(from)}`)
  return Buffer.concat([Buffer.from(head.replace(from, to), 'latin1'), bytes.subarray(end)])
}

const METHODS: readonly Case[] = [
  ...['GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'].map((method) =>
    delivery(`method ${method}`, 405, 'method_not_allowed', { method }),
  ),
  delivery('method HEAD', 405, undefined, { method: 'HEAD', body: '' }),
  delivery('method TRACE', 404, undefined, { method: 'TRACE' }),
  delivery('method PROPFIND', 404, undefined, { method: 'PROPFIND' }),
  delivery('method QUERY', 404, undefined, { method: 'QUERY' }),
  { name: 'method CONNECT', bytes: bytesOf({ method: 'CONNECT', target: 'github.com:443' }), status: [] },
  raw('method that does not exist', 400, 'request_malformed', edited({}, 'POST', 'DEPLOY')),
  raw('method in lower case', 400, 'request_malformed', edited({}, 'POST', 'post')),
  raw('method that is empty', 400, 'request_malformed', edited({}, 'POST ', ' ')),
  raw('method with a NUL in it', 400, 'request_malformed', edited({}, 'POST', 'PO\0ST')),
  delivery('method POST with an override to DELETE', 200, 'ping', {
    event: 'ping',
    headers: { 'x-http-method-override': 'DELETE' },
  }),
]

const TARGETS: readonly Case[] = [
  ...(
    [
      ['path of another forge', '/webhooks/gitlab'],
      ['path with a slash at its end', '/webhooks/github/'],
      ['path with two slashes', '//webhooks//github'],
      ['path with a dot segment', '/webhooks/./github'],
      ['path with two dot segments', '/x/../webhooks/github'],
      ['path out of the root', '/../../../etc/passwd'],
      ['path with encoded dots', '/webhooks/%2e%2e/webhooks/github'],
      ['path with an encoded slash', '/webhooks%2fgithub'],
      ['path in upper case', '/WEBHOOKS/GITHUB'],
      ['path with a NUL, encoded', '/webhooks/github%00'],
      ['path with a line break, encoded', '/webhooks/github%0d%0aX-Injected:%20yes'],
      ['path with a backslash', '/webhooks\\github'],
      ['path with a semicolon', '/webhooks/github;admin=1'],
      ['path that is long', `/${'a'.repeat(8_000)}`],
      ['path of thousands of segments', '/a'.repeat(4_000)],
      ['path that only looks absolute', '//evil.example/webhooks/github'],
      ['path with a template', '/webhooks/{{7*7}}'],
      ['path with broken encoding', '/webhooks/%zz'],
      ['path that ends within an encoding', '/webhooks/github%'],
      ['path in broken UTF-8', '/webhooks/%ff%fe'],
      ['path with a part that is too long', `/deployments/${'1'.repeat(101)}/log`],
    ] as const
  ).map(([name, target]) => delivery(name, 404, 'path_unknown', { target })),
  delivery('path with an encoded letter', 200, 'ping', { target: '/webhooks/git%68ub', event: 'ping' }),
  delivery('path in the absolute form, as proxies send it', 200, 'ping', {
    target: 'http://deploy.example.org/webhooks/github',
    event: 'ping',
  }),
  delivery('path with a query', 200, 'ping', { target: '/webhooks/github?task=x&sha=y', event: 'ping' }),
  delivery('path with an empty query', 200, 'ping', { target: '/webhooks/github?', event: 'ping' }),
  delivery('path with an array in its query', 200, 'ping', {
    target: '/?a[]=1&a[__proto__]=2&__proto__[x]=3',
    event: 'ping',
  }),
  raw('target that is an asterisk', 404, undefined, edited({ method: 'OPTIONS' }, '/webhooks/github', '*')),
  raw('target that is missing', 400, 'request_malformed', edited({}, ' /webhooks/github', '')),
  raw('target without a slash', 400, 'request_malformed', edited({}, '/webhooks/github', 'webhooks')),
  raw('target with a space', 400, 'request_malformed', edited({}, '/webhooks/github', '/webhooks /github')),
  raw('target with a tab', 400, 'request_malformed', edited({}, '/webhooks/github', '/webhooks\t/github')),
  delivery('target with raw UTF-8', 400, 'request_malformed', { target: '/wébhooks' }),
]

const PROTOCOL: readonly Case[] = [
  delivery('HTTP/1.0', 200, 'ping', { version: 'HTTP/1.0', event: 'ping' }),
  delivery('HTTP/1.0 without a host', 200, 'ping', {
    version: 'HTTP/1.0',
    event: 'ping',
    headers: { host: undefined },
  }),
  raw('HTTP/0.9', 400, 'content_type_unsupported', 'POST /webhooks/github\r\n\r\n'),
  delivery('HTTP/1.2', 400, 'request_malformed', { version: 'HTTP/1.2' }),
  delivery('HTTP/2.0 in the request line', 200, 'ping', { version: 'HTTP/2.0', event: 'ping' }),
  delivery('HTTP/9.9', 400, 'request_malformed', { version: 'HTTP/9.9' }),
  delivery('HTTP in lower case', 400, 'request_malformed', { version: 'http/1.1' }),
  delivery('protocol that is none', 400, 'request_malformed', { version: 'GOPHER/1.1' }),
  raw('preface of HTTP/2', 400, 'request_malformed', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  raw('hello of TLS', 400, 'request_malformed', Buffer.from('160301020001000001fc0303', 'hex')),
  raw('greeting of SSH', 400, 'request_malformed', 'SSH-2.0-OpenSSH_9.2\r\n'),
  raw('zeros', 400, 'request_malformed', Buffer.alloc(1_000)),
  raw('random bytes', 400, 'request_malformed', Buffer.from(sign('any'), 'latin1')),
  raw(
    'line feeds without carriage returns',
    400,
    'request_malformed',
    bytesOf().toString().replaceAll('\r\n', '\n'),
  ),
  raw(
    'carriage returns without line feeds',
    400,
    'request_malformed',
    bytesOf().toString().replaceAll('\r\n', '\r'),
  ),
  { name: 'nothing at all', bytes: Buffer.alloc(0), status: [], breaksOff: true },
  {
    name: 'half a request line',
    bytes: Buffer.from('POST /webh'),
    status: [400],
    says: 'request_cut_off',
    breaksOff: true,
  },
  {
    name: 'headers that break off',
    bytes: bytesOf().subarray(0, 150),
    status: [400],
    says: 'request_cut_off',
    breaksOff: true,
  },
  {
    name: 'two pings in one go',
    bytes: Buffer.concat([keptAlive('ping'), bytesOf({ event: 'ping' })]),
    status: [200, 200],
    says: 'ping',
  },
  {
    name: 'a ping, then one with a wrong signature',
    bytes: Buffer.concat([keptAlive('ping'), bytesOf({ signed: 'other' })]),
    status: [200, 401],
    says: 'signature_wrong',
  },
  {
    name: 'a wrong signature, then a right ping behind it',
    bytes: Buffer.concat([
      bytesOf({ signed: 'other', headers: { connection: 'keep-alive' } }),
      bytesOf({ event: 'ping' }),
    ]),
    status: [401],
    says: 'signature_wrong',
  },
  {
    name: 'a ping, then garbage',
    bytes: Buffer.concat([keptAlive('ping'), Buffer.from('\0\0\0')]),
    status: [400],
    says: 'request_malformed',
  },
  {
    name: 'fifty pings in one go',
    bytes: Buffer.concat([
      ...Array.from({ length: 49 }, () => keptAlive('ping')),
      bytesOf({ event: 'ping' }),
    ]),
    status: Array.from({ length: 50 }, () => 200),
    says: 'ping',
  },
  {
    name: 'empty lines before a ping',
    bytes: Buffer.concat([Buffer.from('\r\n\r\n'), bytesOf({ event: 'ping' })]),
    status: [200],
    says: 'ping',
  },
]

function keptAlive(event: string): Buffer {
  return bytesOf({ event, headers: { connection: 'keep-alive' } })
}

const HEADERS: readonly Case[] = [
  delivery('host missing', 400, undefined, { headers: { host: undefined } }),
  delivery('host empty', 200, 'ping', { event: 'ping', headers: { host: '' } }),
  delivery('host twice', 200, 'ping', { event: 'ping', headers: { host: ['a.example', 'b.example'] } }),
  delivery('host of somebody else', 200, 'ping', { event: 'ping', headers: { host: 'evil.example' } }),
  delivery('forwarded for somebody else', 200, 'ping', {
    event: 'ping',
    headers: { 'x-forwarded-for': '127.0.0.1', 'x-forwarded-host': 'evil.example' },
  }),
  delivery('expecting 100-continue', 200, 'ping', { event: 'ping', headers: { expect: '100-continue' } }),
  delivery('expecting something else', 417, undefined, { headers: { expect: 'a-miracle' } }),
  delivery('upgrade to a websocket', 200, 'ping', {
    event: 'ping',
    headers: { connection: 'close, upgrade', upgrade: 'websocket', 'sec-websocket-key': 'eA==' },
  }),
  delivery('upgrade to h2c', 200, 'ping', {
    event: 'ping',
    headers: { connection: 'close, upgrade, http2-settings', upgrade: 'h2c', 'http2-settings': 'AAMAAABk' },
  }),
  raw('header with a NUL', 400, 'request_malformed', edited({}, 'Hookshot', 'Hook\0shot')),
  raw('header with a lone carriage return', 400, 'request_malformed', edited({}, 'Hookshot', 'Hook\rshot')),
  raw('header with a lone line feed', 400, 'request_malformed', edited({}, 'Hookshot', 'Hook\nshot')),
  raw('header that is folded', 400, 'request_malformed', edited({}, 'Hookshot', 'Hook\r\n shot')),
  raw('header without a colon', 400, 'request_malformed', edited({}, 'accept: */*', 'accept')),
  raw('header with a space before its colon', 400, 'request_malformed', edited({}, 'accept:', 'accept :')),
  raw('header with an empty name', 400, 'request_malformed', edited({}, 'accept:', ':')),
  raw(
    'header with a name of control characters',
    400,
    'request_malformed',
    edited({}, 'accept', 'a\u001bccept'),
  ),
  delivery('headers named like what objects have', 200, 'ping', {
    event: 'ping',
    headers: { __proto__x: 'x', constructor: 'x', 'x-github-__proto__': 'x', tostring: 'x' },
  }),
  delivery('header with terminal sequences', 400, 'request_malformed', {
    headers: { 'x-github-hook-id': '\u001b[2Jx' },
  }),
  delivery('header of 20,000 bytes', 431, 'headers_too_large', { headers: { 'x-huge': 'x'.repeat(20_000) } }),
  delivery('headers, 5,000 of them', 431, 'headers_too_large', {
    headers: { 'x-a': Array.from({ length: 5_000 }, () => 'b') },
  }),
  delivery('headers, 500 of them', 200, 'ping', {
    event: 'ping',
    headers: { 'x-a': Array.from({ length: 500 }, () => 'b') },
  }),
]

const LENGTHS: readonly Case[] = [
  {
    name: 'length too long',
    bytes: edited({}, /content-length: (\d+)/, 'content-length: 9$1'),
    status: [400],
    says: 'request_cut_off',
    breaksOff: true,
  },
  raw(
    'length too short',
    400,
    'request_malformed',
    edited({}, /content-length: (\d+)/, 'content-length: 10'),
  ),
  raw(
    'length zero with a body',
    400,
    'request_malformed',
    edited({}, /content-length: (\d+)/, 'content-length: 0'),
  ),
  ...(
    [
      ['length negative', '-1'],
      ['length with a sign', '+10'],
      ['length hexadecimal', '0x10'],
      ['length with a fraction', '10.5'],
      ['length with an exponent', '1e3'],
      ['length as a list', '10, 10'],
      ['length beyond 64 bits', '99999999999999999999999'],
      ['length that is a word', 'many'],
      ['length empty', ''],
    ] as const
  ).map(([name, length]) =>
    delivery(name, 400, 'request_malformed', { headers: { 'content-length': length } }),
  ),
  delivery('length twice, the same', 400, 'request_malformed', {
    body: '{}',
    headers: { 'content-length': ['2', '2'] },
  }),
  delivery('length twice, different', 400, 'request_malformed', {
    headers: { 'content-length': ['2', '900'] },
  }),
  delivery('length beside chunks', 400, 'request_malformed', {
    headers: { 'transfer-encoding': 'chunked' },
  }),
  delivery('chunks beside a length, the other way round', 400, 'request_malformed', {
    headers: { 'content-length': undefined, 'transfer-encoding': 'chunked', 'Content-Length': '6' },
  }),
  ...(
    [
      ['encoding chunked, and then identity', 'chunked, identity'],
      ['encoding gzip, and then chunked, which is not undone', 'gzip'],
      ['encoding that is unknown', 'xchunked'],
      ['encoding with a control character', '\u000bchunked'],
      ['encoding in quotes', '"chunked"'],
    ] as const
  ).map(([name, encoding]) =>
    delivery(name, 400, 'request_malformed', {
      headers: { ...CHUNKED, 'transfer-encoding': encoding },
      body: chunked(deployable()),
    }),
  ),
  delivery('encoding twice', 400, 'request_malformed', {
    headers: { ...CHUNKED, 'transfer-encoding': ['chunked', 'identity'] },
    body: chunked(deployable()),
  }),
  smuggling('a second request behind a length of zero', { 'content-length': '0' }),
  smuggling('a second request behind an end of chunks', { ...CHUNKED }, '0\r\n\r\n'),
  delivery('no length and no chunks', 400, 'request_malformed', { headers: { 'content-length': undefined } }),
  inChunks('chunks, one of them', 200, 'ping', (body) => chunked(body)),
  inChunks('chunks of one byte', 200, 'ping', (body) => chunked(...body.split(''))),
  inChunks('chunks with extensions', 200, 'ping', (body) =>
    Buffer.from(`${body.length.toString(16)};a=b;c="d"\r\n${body}\r\n0\r\n\r\n`),
  ),
  inChunks('chunks with an extension of 20,000 bytes', 400, 'request_malformed', (body) =>
    Buffer.from(`${body.length.toString(16)};${'x'.repeat(20_000)}\r\n${body}\r\n0\r\n\r\n`),
  ),
  inChunks('chunks with trailers', 200, 'ping', (body) =>
    Buffer.from(`${body.length.toString(16)}\r\n${body}\r\n0\r\nx-hub-signature-256: sha256=0\r\n\r\n`),
  ),
  inChunks('chunks whose length is upper case', 200, 'ping', (body) =>
    Buffer.from(`${body.length.toString(16).toUpperCase()}\r\n${body}\r\n0\r\n\r\n`),
  ),
  ...(
    [
      ['chunks whose length is no number', 'zz\r\n{}\r\n0\r\n\r\n'],
      ['chunks whose length is negative', '-2\r\n{}\r\n0\r\n\r\n'],
      ['chunks whose length is 0x2', '0x2\r\n{}\r\n0\r\n\r\n'],
      ['chunks whose length is beyond 64 bits', 'ffffffffffffffffff\r\n{}\r\n0\r\n\r\n'],
      ['chunks whose length is empty', '\r\n{}\r\n0\r\n\r\n'],
      ['chunks longer than they say', '1\r\n{}\r\n0\r\n\r\n'],
      ['chunks with line feeds alone', '2\n{}\n0\n\n'],
    ] as const
  ).map(([name, body]) => delivery(name, 400, 'request_malformed', { headers: CHUNKED, signed: '{}', body })),
  {
    name: 'chunks that break off',
    bytes: bytesOf({ headers: CHUNKED, signed: '{}', body: '5\r\n{}' }),
    status: [400],
    says: 'request_cut_off',
    breaksOff: true,
  },
  {
    name: 'chunks without an end',
    bytes: bytesOf({ headers: CHUNKED, signed: '{}', body: '2\r\n{}\r\n' }),
    status: [400],
    says: 'request_cut_off',
    breaksOff: true,
  },
]

function inChunks(
  name: string,
  status: number,
  says: string | undefined,
  cut: (body: string) => Buffer,
): Case {
  const body = JSON.stringify({ zen: 'Keep it logically awesome.' })
  return delivery(name, status, says, { event: 'ping', headers: CHUNKED, signed: body, body: cut(body) })
}

/** The first request is refused, and the one behind it is signed by nobody. */
function smuggling(name: string, headers: Delivery['headers'], before = ''): Case {
  const hidden = bytesOf({ signed: 'other' }).toString()
  return delivery(name, 401, 'signature_wrong', {
    headers: { ...headers, connection: 'keep-alive' },
    signed: 'other',
    body: `${before}${hidden}`,
  })
}

const filled = (bytes: number): string => {
  const [start, end] = ['{"filler":"', '"}']
  return `${start}${'x'.repeat(bytes - start.length - end.length)}${end}`
}

const SIZES: readonly Case[] = [
  delivery('body empty', 401, 'signature_wrong', { body: '' }),
  delivery('body of one byte', 400, 'body_not_json', { body: '{' }),
  delivery('body of 25 MB', 200, 'event_not_used', { event: 'issues', body: filled(MOST_BODY_BYTES) }),
  delivery('body of 25 MB in chunks', 200, 'event_not_used', {
    event: 'issues',
    headers: CHUNKED,
    signed: filled(MOST_BODY_BYTES),
    body: chunked(filled(MOST_BODY_BYTES)),
  }),
  delivery('body of 25 MB with a wrong signature', 401, 'signature_wrong', {
    signed: 'other',
    body: filled(MOST_BODY_BYTES),
  }),
  delivery('body of 25 MB and a byte, as its length says', 413, 'body_too_large', {
    headers: { 'content-length': String(MOST_BODY_BYTES + 1) },
    body: '',
  }),
  delivery('body of a terabyte, as its length says', 413, 'body_too_large', {
    headers: { 'content-length': '1000000000000' },
    body: '',
  }),
  {
    name: 'body of 25 MB and a byte in chunks',
    // Ends with its last byte: what nobody reads any more would reset the connection.
    bytes: bytesOf({
      headers: CHUNKED,
      signed: '',
      body: Buffer.concat([
        Buffer.from(`${(MOST_BODY_BYTES + 1).toString(16)}\r\n`),
        Buffer.alloc(MOST_BODY_BYTES + 1, ' '),
      ]),
    }),
    status: [413],
    says: 'body_too_large',
  },
]

/** What may go wrong before anybody looks at the content. */
export const TRANSPORT: readonly Case[] = [
  ...METHODS,
  ...TARGETS,
  ...PROTOCOL,
  ...HEADERS,
  ...LENGTHS,
  ...SIZES,
]
