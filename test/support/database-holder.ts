import { DatabaseSync } from 'node:sqlite'

/**
 * Another process at the database: `node database-holder.ts FILE lock` begins to write and does not end before its
 * standard input does; `vacuum` copies the database beside it, again and again, until then. Says when it has begun.
 */
const [path = '', what] = process.argv.slice(2)
const file = new DatabaseSync(path, { timeout: 5_000 })

if (what === 'lock') {
  file.exec("begin exclusive; update settings set value = value where name = 'nobody'")
  process.stdout.write('begun\n')
  process.stdin.once('end', () => file.exec('rollback')).resume()
} else {
  let copies = 0
  const copy = (): void => {
    file.exec(`vacuum into '${path}-copy-${(copies += 1)}'`)
    if (copies === 1) process.stdout.write('begun\n')
    if (!process.stdin.readableEnded) setImmediate(copy)
  }
  process.stdin.resume()
  copy()
}
