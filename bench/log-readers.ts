/* Follows one log over many connections, and prints how many of them did not see all of it. A process of its own. */
import { writeFileSync } from 'node:fs'
import { get } from 'node:http'

export interface Reading {
  readonly port: number
  readonly path: string
  readonly token: string
  readonly readers: number
  /** How many lines the command writes. */
  readonly lines: number
  /** Is made when all readers are there; the command waits for it. */
  readonly begin: string
}

const { port, path, token, readers, lines, begin } = JSON.parse(process.argv[2] ?? '{}') as Reading
let there = 0
const seen = await Promise.all(Array.from({ length: readers }, follow))
process.stdout.write(JSON.stringify({ missed: seen.filter((all) => !all).length }))

/** Whether every line came, in its order. */
function follow(): Promise<boolean> {
  return new Promise((resolve, reject) => {
    let next = 0
    let rest = ''
    const look = (text: string): void => {
      const all = rest + text
      const end = all.lastIndexOf('\n') + 1
      rest = all.slice(end)
      for (const [, number] of all.slice(0, end).matchAll(/line (\d+) of the output/g))
        next = Number(number) === next ? next + 1 : Number.NaN
    }
    get({ port, path, host: '127.0.0.1', agent: false, headers: { authorization: `Bearer ${token}` } })
      .once('error', reject)
      .once('response', (response) => {
        there += 1
        if (there === readers) writeFileSync(begin, '')
        if (response.statusCode !== 200) reject(new Error(`A reader was answered ${response.statusCode}`))
        response.setEncoding('latin1').on('data', look).once('error', reject)
        response.once('end', () => resolve(next === lines))
      })
  })
}
