import { describe, expect, test } from 'vitest'

import { problemsOfShop, shop } from './written.ts'

const approvalOf = (lines: string) => shop(`commands: [[id]]\n${lines}`).approval

describe('the approval that an environment demands', () => {
  test.each([
    ['nothing', '', undefined],
    ['false', 'approval: false\n', undefined],
    ['true', 'approval: true\n', { by: undefined, expiresSeconds: 86_400, allowsAuthor: false }],
    ['an empty mapping', 'approval: {}\n', { by: undefined, expiresSeconds: 86_400, allowsAuthor: false }],
    [
      'a mapping',
      'approval: {by: [ann, bob], expires: 2h, allow_author: true}\n',
      { by: ['ann', 'bob'], expiresSeconds: 7_200, allowsAuthor: true },
    ],
  ])('is read from %s', (_what, lines, approval) => {
    expect(approvalOf(lines)).toEqual(approval)
  })

  test("is its own where it has one, or its repository's", () => {
    const lines = 'approval: {by: [ann]}\nlane: one\nenvironments:\n  staging: {}\n  production: '

    expect(approvalOf(`${lines}{}\n`)?.by).toEqual(['ann'])
    expect(approvalOf(`${lines}{approval: true}\n`)).toMatchObject({ by: undefined })
    expect(approvalOf(`${lines}{approval: false}\n`)).toBeUndefined()
  })

  test.each([
    [
      'a word',
      'yes',
      '6:5 …approval: expected true, false, or a mapping with keys such as by and expires, got "yes"',
    ],
    ['nobody', '{by: []}', '6:16 …approval.by: expected at least one login name, got an empty list'],
    [
      'a single name',
      '{by: ann}',
      '6:16 …approval.by: expected a list of login names such as [ann, bob], got "ann"',
    ],
    ['a long time', '{expires: 60d}', '6:16 …approval.expires: expected at most 30d, got "60d"'],
    ['a misspelled key', '{expire: 1h}', '6:16 …approval.expire: unknown key; did you mean expires?'],
    ['a wrong key', '{from: ann}', '6:16 …approval.from: unknown key; known here: by, expires, allow_author'],
  ])('that is %s is refused with its place', (_what, approval, problem) => {
    expect(problemsOfShop(`commands: [[id]]\napproval: ${approval}\n`)).toEqual([
      `config.yml:${problem.replace('…', 'repositories.acme/shop.')}`,
    ])
  })
})
