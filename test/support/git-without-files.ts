import { closeSync, openSync } from 'node:fs'

import { askGit } from '../../src/run/git-question.ts'

// Asks git for the first time when no more files may be opened, and once more when they may. Tells the answers.
const ask = () => askGit('/', process.env['PATH'] ?? '', ['version'])
const files: number[] = []
try {
  for (;;) files.push(openSync('/dev/null', 'r'))
} catch {
  const answer = await ask()
  for (const file of files) closeSync(file)
  console.log(answer, await ask())
}
