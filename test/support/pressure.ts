import { once } from 'node:events'
import { readFileSync } from 'node:fs'
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
