/** The files of the sample shop, commit by commit: what each adds or changes. */
export interface SampleChange {
  readonly message: string
  readonly files: Readonly<Record<string, string>>
}

const page = (...lines: readonly string[]): string =>
  ['<!doctype html>', '<title>The shop</title>', '<h1>The shop</h1>', ...lines, ''].join('\n')

const script = (...lines: readonly string[]): string =>
  ['#!/bin/sh', '# Puts this version of the shop in place.', 'set -eu', ...lines, ''].join('\n')

const BUILD = [
  `printf '\\033[1mBuilding the shop at %s\\033[0m\\n' "$(git rev-parse --short HEAD)"`,
  'mkdir -p public',
  'cp index.html public/index.html',
  `printf '\\033[32m✓\\033[0m %s bytes of pages\\n' "$(wc -c < public/index.html | tr -d ' ')"`,
]

const DONE = [`printf '\\033[32m✓ The shop is open\\033[0m\\n'`]

const MIGRATE = [
  `printf '\\033[36m→\\033[0m migrating the database: 0007_gift_cards\\n'`,
  `printf '\\033[32m✓\\033[0m 1 migration applied\\n'`,
]

const BROKEN_MIGRATION = [
  `printf '\\033[36m→\\033[0m migrating the database: 0008_vouchers\\n'`,
  `printf '\\033[31mERROR:  relation "vouchers" does not exist\\033[0m\\n' >&2`,
  `printf 'LINE 1: alter table vouchers add column expires_at timestamptz\\n' >&2`,
  `printf 'migration 0008_vouchers was rolled back\\n' >&2`,
  'exit 1',
]

export const SAMPLE_CHANGES: readonly SampleChange[] = [
  {
    message: 'Open the shop',
    files: {
      '.gitignore': 'public/\n',
      'README.md': '# The shop\n\n`./deploy.sh` puts it in place.\n',
      'index.html': page('<p>Tea and coffee.'),
      'deploy.sh': script(...BUILD, ...DONE),
    },
  },
  {
    message: 'Show prices with tax',
    files: { 'index.html': page('<p>Tea 4.20, coffee 5.30, tax included.') },
  },
  {
    message: 'Sell gift cards',
    files: {
      'index.html': page('<p>Tea 4.20, coffee 5.30, gift cards, tax included.'),
      'deploy.sh': script(...BUILD, ...MIGRATE, ...DONE),
    },
  },
  {
    message: 'Let vouchers expire',
    files: { 'deploy.sh': script(...BUILD, ...BROKEN_MIGRATION) },
  },
  {
    message: 'Make the table of vouchers before it is changed',
    files: { 'deploy.sh': script(...BUILD, ...MIGRATE, ...DONE) },
  },
]

/** What is merged later, in front of everybody. */
export const MERGED_CHANGE: SampleChange = {
  message: 'Greet our guests',
  files: { 'index.html': page('<p>Welcome! Tea 4.20, coffee 5.30, gift cards, tax included.') },
}

/** Which of the changes breaks `deploy.sh`. */
export const BROKEN_CHANGE = 3
