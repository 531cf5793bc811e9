import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

import pg from 'pg'
import { onTestFinished } from 'vitest'

import { emptyDatabase } from './stores.ts'

/** A network between a client and a PostgreSQL, which may break. */
export interface Relay {
  /** The same address, by way of the relay. */
  readonly address: string
  /** Nothing is carried any more, and nobody is told of it: what is there now, and what comes until `carry`. */
  swallow(): void
  /** Carries again what comes from now on; what was swallowed stays so. */
  carry(): void
  /** Ends all connections on our side alone: those of PostgreSQL stay as they are. */
  cut(): void
  /** Ends all connections, and refuses new ones until `open`. */
  close(): Promise<void>
  open(): Promise<void>
}

/** An empty database of PostgreSQL by way of a relay, and a connection of its own that goes there straight; all of it is gone after the test. */
export async function databaseBehindRelay(): Promise<{ address: string; relay: Relay; other: pg.Client }> {
  const { address, drop } = await emptyDatabase.postgres()
  onTestFinished(drop)
  const relay = await startRelay(address)
  const other = new pg.Client({ connectionString: address })
  await other.connect()
  onTestFinished(() => other.end())
  return { address, relay, other }
}

/** Opens a relay on loopback; it is gone after the test. */
export async function startRelay(address: string): Promise<Relay> {
  const target = new URL(address)
  const pairs = new Set<readonly [Socket, Socket]>()
  const swallowed = new Set<Socket>()
  let isSwallowing = false
  const carryFrom = (from: Socket, to: Socket): void => {
    from.on('error', () => {})
    from.on('data', (chunk) => {
      if (!swallowed.has(from)) to.write(chunk)
    })
    from.on('end', () => {
      if (!swallowed.has(from)) to.end()
    })
    from.on('close', () => {
      if (!swallowed.has(from)) to.destroy()
    })
  }
  const server = createServer({ allowHalfOpen: true }, (ours) => {
    const theirs = connect({ port: Number(target.port), host: target.hostname, allowHalfOpen: true })
    pairs.add([ours, theirs])
    if (isSwallowing) for (const one of [ours, theirs]) swallowed.add(one)
    carryFrom(ours, theirs)
    carryFrom(theirs, ours)
  })
  const open = async (port: number): Promise<number> => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }
  const endAll = (): void => {
    for (const pair of pairs) for (const one of pair) one.destroy()
    pairs.clear()
  }
  const port = await open(0)
  onTestFinished(() => {
    server.close()
    endAll()
  })
  const relayed = new URL(address)
  relayed.host = `127.0.0.1:${port}`
  return {
    address: relayed.href,
    swallow() {
      isSwallowing = true
      for (const pair of pairs) for (const one of pair) swallowed.add(one)
    },
    carry: () => void (isSwallowing = false),
    cut() {
      for (const [ours, theirs] of pairs) {
        for (const one of [ours, theirs]) swallowed.add(one)
        ours.resetAndDestroy()
      }
    },
    async close() {
      const closed = once(server, 'close')
      server.close()
      endAll()
      await closed
    },
    open: async () => void (await open(port)),
  }
}
