import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { connect } from 'node:net'

import { onTestFinished } from 'vitest'

import { API_TOKEN } from './journey.ts'

/** What the server's process may take at most, whatever comes. */
export const MOST_MEGABYTES = 300

/** The most memory that a process has had in use so far, in megabytes: proc_pid_status(5). */
export const mostMemoryOf = (pid: number): number =>
  Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024

export interface Reader {
  /** Resolves when this has come. */
  until(words: string): Promise<void>
  /** Resolves with everything when the server has sent all that there is. */
  readonly whole: Promise<string>
}

/** Somebody who follows a log over a connection of their own; gone after the test. */
export async function followLog(address: string, id: number): Promise<Reader> {
  const { hostname, port } = new URL(address)
  const socket = connect(Number(port), hostname)
  onTestFinished(() => void socket.destroy())
  let text = ''
  let look = (): void => {}
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk
    look()
  })
  const whole = once(socket, 'close').then(() => text)
  await once(socket, 'connect')
  socket.write(
    `GET /deployments/${id}/log?follow=1 HTTP/1.0\r\nhost: ${hostname}\r\nauthorization: Bearer ${API_TOKEN}\r\n\r\n`,
  )
  return {
    whole,
    until: (words) =>
      new Promise((resolve) => {
        look = () => text.includes(words) && resolve()
        look()
      }),
  }
}

export interface Answered {
  /** 0 where the connection ended without an answer. */
  readonly status: number
  /** The verdict, or the code of what went wrong. */
  readonly word: string
}

/** Sends the deliveries over so many connections, each with one at a time; answers in their order. */
export async function sendAll(
  address: string,
  deliveries: readonly Delivery[],
  connections: number,
): Promise<readonly Answered[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const answers = await Promise.all(deliveries.map((delivery) => send(address, delivery, agent)))
  agent.destroy()
  return answers
}

/** Sends it, and has gone as soon as the server's machine has it all. */
export async function sendAndGo(address: string, { body, headers }: Delivery): Promise<void> {
  const length = { 'content-length': Buffer.byteLength(body) }
  const sending = request(`${address}/webhooks/github`, {
    method: 'POST',
    headers: { ...headers, ...length },
  })
  sending.on('error', () => {}) // what it hears after that is nobody's
  sending.end(body)
  await once(sending, 'finish')
  const { socket } = sending
  while (socket !== null && socket.writableLength > 0) await once(socket, 'drain')
  sending.destroy()
}

interface Delivery {
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
}

function send(address: string, { body, headers }: Delivery, agent: Agent): Promise<Answered> {
  return new Promise((resolve) => {
    const url = `${address}/webhooks/github`
    const length = { 'content-length': Buffer.byteLength(body) }
    request(url, { method: 'POST', agent, headers: { ...headers, ...length } }, (response) => {
      let text = ''
      response
        .setEncoding('utf8')
        .on('data', (part: string) => (text += part))
        .on('end', () => {
          const { verdict, error } = JSON.parse(text) as { verdict?: string; error?: string }
          resolve({ status: response.statusCode ?? 0, word: verdict ?? error ?? '' })
        })
    })
      .on('error', () => resolve({ status: 0, word: '' }))
      .end(body)
  })
}
