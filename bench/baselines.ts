/*
 * The servers to compare with that are not products: what the platform alone can do, and the least that keeps a
 * delivery. Called with one of `bare`, `each`, `grouped`, a port, and a file for the database.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { createServer } from 'node:http'
import { DatabaseSync } from 'node:sqlite'

import { fastify } from 'fastify'

import { PATH, SECRET } from './deliveries.ts'

const [kind = 'bare', port = '0', file = ''] = process.argv.slice(2)
if (kind === 'bare') bare()
else await keeping(kind === 'grouped')

/** node:http and the signature: nothing is parsed, nothing is kept. */
function bare(): void {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const fine =
        request.method === 'GET' || isSigned(Buffer.concat(chunks), request.headers['x-hub-signature-256'])
      response.writeHead(fine ? 200 : 401, { 'content-length': 2 }).end('{}')
    })
  })
  server.listen(Number(port), '127.0.0.1')
}

/** fastify, the signature, the content, and one row: each in a commit of its own, or all of one turn in one. */
async function keeping(grouped: boolean): Promise<void> {
  const database = new DatabaseSync(file)
  database.exec('pragma journal_mode = wal; pragma synchronous = full')
  database.exec('create table deliveries (id integer primary key, guid text unique, action text, body blob)')
  const insert = database.prepare('insert into deliveries (guid, action, body) values (?, ?, ?)')
  let waiting: { readonly row: readonly [string, string, Buffer]; readonly done: () => void }[] = []
  const commit = (): void => {
    const group = waiting
    waiting = []
    database.exec('begin immediate')
    for (const { row } of group) insert.run(...row)
    database.exec('commit')
    for (const { done } of group) done()
  }
  const keep = (...row: readonly [string, string, Buffer]): Promise<void> =>
    new Promise((done) => {
      waiting.push({ row, done })
      if (!grouped) commit()
      else if (waiting.length === 1) setImmediate(commit)
    })
  const server = fastify({ bodyLimit: 26_214_400 })
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  server.get('/', () => ({}))
  server.post(PATH, async (request, reply) => {
    const body = request.body as Buffer
    if (!isSigned(body, request.headers['x-hub-signature-256'])) return reply.code(401).send({})
    const { action } = JSON.parse(body.toString()) as { action: string }
    await keep(String(request.headers['x-github-delivery']), action, body)
    return {}
  })
  await server.listen({ port: Number(port), host: '127.0.0.1' })
}

function isSigned(body: Buffer, given: unknown): boolean {
  const own = Buffer.from(`sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`)
  const other = Buffer.from(String(given))
  return own.length === other.length && timingSafeEqual(own, other)
}
