import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** One answer as it came over the wire. */
export interface RawAnswer {
  readonly status: number
  readonly headers: string
  readonly body: string
}

/** A connection on which anything can be sent, and all that comes back is kept. */
export interface RawConnection {
  readonly socket: Socket
  send(bytes: string | Buffer): void
  /** Resolves with everything that came, when the other side has ended the connection. */
  readonly all: Promise<string>
}

/** Opens a connection to the server; errors of the connection only end it. */
export async function rawConnection(address: string): Promise<RawConnection> {
  const { hostname, port } = new URL(address)
  const socket = connect(Number(port), hostname)
  let received = ''
  socket.setEncoding('latin1').on('data', (text: string) => (received += text))
  socket.on('error', () => {})
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  await once(socket, 'connect')
  return {
    socket,
    send: (bytes) => void socket.write(bytes),
    all: closed.then(() => received),
  }
}

/** The answers in what came back, one after the other. */
export function readAnswers(received: string): RawAnswer[] {
  const answers: RawAnswer[] = []
  for (let rest = received; rest.startsWith('HTTP/1.1 ');) {
    const end = rest.indexOf('\r\n\r\n')
    const headers = end === -1 ? rest : rest.slice(0, end)
    const status = Number(headers.slice(9, 12))
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(headers)?.[1] ?? 0)
    rest = end === -1 ? '' : rest.slice(end + 4)
    if (status !== 100) answers.push({ status, headers, body: rest.slice(0, length) })
    rest = status === 100 ? rest : rest.slice(length)
  }
  return answers
}
