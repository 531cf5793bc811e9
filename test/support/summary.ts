// What runs of the tests came to, in a few last lines: whatever failed, by name and reason, then the count. For CI, where
// often nothing but the end of the output is at hand. `node test/support/summary.ts REPORT...`, which Vitest wrote as JSON.
import { existsSync, readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { stripVTControlCharacters } from 'node:util'

interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numTotalTests: number
  readonly testResults: readonly {
    readonly name: string
    readonly status: string
    readonly message: string
    readonly assertionResults: readonly {
      readonly fullName: string
      readonly status: string
      readonly duration?: number | null
      readonly failureMessages?: readonly string[]
    }[]
  }[]
}

const MOST_LINES = 12

const paths = process.argv.slice(2)
for (const path of paths.filter((one) => !existsSync(one))) tell(`no report ${path} was written`, '')
const reports = paths
  .filter((path) => existsSync(path))
  .map((path) => JSON.parse(readFileSync(path, 'utf8')) as Report)
for (const { name, status, message, assertionResults } of reports.flatMap((one) => one.testResults)) {
  const file = relative(process.cwd(), name)
  const failed = assertionResults.filter((one) => one.status === 'failed')
  for (const { fullName, duration, failureMessages = [] } of failed)
    tell(`${file}: ${fullName} (${((duration ?? 0) / 1000).toFixed(1)} s)`, failureMessages.join('\n'))
  if (status === 'failed' && failed.length === 0) tell(`${file}: its tests could not be run`, message)
}
const count = (of: (report: Report) => number): number => reports.map(of).reduce((sum, one) => sum + one, 0)
const passed = count((one) => one.numPassedTests)
const failed = count((one) => one.numFailedTests)
const skipped = count((one) => one.numTotalTests) - passed - failed
console.log(`${passed} passed, ${failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`)

function tell(what: string, why: string): void {
  console.log(`failed: ${what}`)
  const lines = stripVTControlCharacters(why).split('\n')
  for (const line of lines.slice(0, MOST_LINES)) console.log(`    ${line.slice(0, 300)}`)
}
