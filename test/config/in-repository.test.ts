import { describe, expect, test } from 'vitest'

import { loadConfig } from '../../src/config/load.ts'
import { GITHUB, problemsOf, written } from './written.ts'

const read = (lines: string) => {
  const config = loadConfig(written(`${GITHUB}repositories:\n  acme/shop:\n${lines}`), { environment: {} })
  return config.repositories.get('acme/shop')?.environments.get('production')
}
const wrongIn = (lines: string): string =>
  problemsOf(`${GITHUB}repositories:\n  acme/shop:\n${lines}`).join('\n')

describe('in_repository', () => {
  test('names what .ferryman.yml may say, so that the commands need not be here', () => {
    const environment = read('    workspace: fresh\n    in_repository: [commands, timeout]\n')

    expect(environment?.recipe).toMatchObject({
      commands: [],
      inRepository: { file: '.ferryman.yml', allow: ['commands', 'timeout'] },
    })
  })

  test('may name another file, and is not for tasks that do not say it', () => {
    const environment = read(
      '    workspace: fresh\n    commands: [[make]]\n    in_repository: {allow: [commands], file: deploy/ferryman.yml}\n' +
        '    tasks: {migrate: {commands: [[ls]]}, seed: {in_repository: [commands]}}\n',
    )

    expect(environment?.recipe.inRepository?.file).toBe('deploy/ferryman.yml')
    expect(environment?.tasks.get('migrate')?.inRepository).toBeUndefined()
    expect(environment?.tasks.get('seed')?.inRepository?.allow).toEqual(['commands'])
  })

  test.each([
    [
      'where nothing is checked out',
      'in_repository: [commands]\n    folder: /srv',
      'write `workspace: fresh` beside it',
    ],
    [
      'for an archive',
      'in_repository: [commands]\n    commands: [[ls]]\n    source: https://example.org/a.zip\n    releases: {path: /srv/shop}',
      'write `workspace: fresh` beside it',
    ],
    [
      'of a playbook',
      'in_repository: [commands]\n    workspace: fresh\n    ansible_hosts: hosts\n    ansible_playbook: site.yml',
      'says nothing of a playbook',
    ],
    [
      'for variables alone',
      'in_repository: [env]\n    workspace: fresh\n    commands: [[ls]]',
      'allow `commands` as well, or not `env`',
    ],
    [
      'for who it runs as',
      'in_repository: [run_as]\n    workspace: fresh\n    commands: [[ls]]',
      'expected one of commands, folder, env',
    ],
    [
      'in a file elsewhere',
      'in_repository: {allow: [commands], file: ../x.yml}\n    workspace: fresh',
      'expected a path in the repository',
    ],
    [
      'without commands anywhere',
      'in_repository: [timeout]\n    workspace: fresh',
      'expected at least one command',
    ],
  ])('is refused %s', (_, lines, message) => {
    expect(wrongIn(`    ${lines}\n`)).toContain(message)
  })
})
