import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { describe, expect, test } from 'vitest'

import { loadConfig } from '../../src/config/load.ts'
import { GITHUB, problemsOf, written } from './written.ts'

const PAIR = '    ansible_hosts: hosts.ini\n    ansible_playbook: site.yml\n'
const ENTRY = `${GITHUB}repositories:\n  acme/infra:\n${PAIR}`
const ENVIRONMENT = { DB_PASSWORD: 'hunter2hunter2', NAME: 'web', STAGE: 'staging' }

/** What acme/infra says under `ansible`, by environment. */
function read(lines: string) {
  const file = written(`${ENTRY}${lines}`)
  writeFileSync(join(dirname(file), 'key.pem'), 'a-key-of-some-length\n')
  const config = loadConfig(file, { environment: ENVIRONMENT })
  const environments = [...(config.repositories.get('acme/infra')?.environments.values() ?? [])]
  const options = Object.fromEntries(
    environments.map(({ name, recipe }) => [name, 'options' in recipe ? recipe.options : undefined]),
  )
  return { options, config, directory: dirname(file) }
}

describe('what the configuration says of how a playbook is run', () => {
  test('is what Ansible does by itself, when it says nothing', () => {
    expect(read('').options['production']).toEqual({ tags: [], skipTags: [], extraVars: {} })
  })

  test('is read key by key, with paths like the playbook', () => {
    const { options, directory } = read(`    folder: infra
    ansible:
      limit: web:!web3
      tags: [deploy, "with space"]
      skip_tags: [slow]
      vault_password_file: /etc/ferryman/vault.pass
      requirements: galaxy/requirements.yml
      config: \${NAME}.cfg
`)

    expect(options['production']).toEqual({
      limit: 'web:!web3',
      tags: ['deploy', 'with space'],
      skipTags: ['slow'],
      extraVars: {},
      vaultPasswordFile: '/etc/ferryman/vault.pass',
      requirements: join(directory, 'infra/galaxy/requirements.yml'),
      config: join(directory, 'infra/web.cfg'),
    })
  })

  test('holds for every environment that says nothing else, key by key; variables are joined', () => {
    const { options } = read(`    ansible:
      limit: "{environment}:!{env}-old"
      tags: [deploy]
      skip_tags: [slow]
      extra_vars: {port: 80, host: a}
    environments:
      staging: {ansible: {limit: all, skip_tags: [], extra_vars: {port: 8080, debug: true}}}
      production: {}
`)

    expect(options['staging']).toMatchObject({
      limit: 'all',
      tags: ['deploy'],
      skipTags: [],
      extraVars: { port: { plain: 8080 }, debug: { plain: true }, host: { text: { literal: 'a' } } },
    })
    expect(options['production']).toMatchObject({
      limit: 'production:!production-old',
      tags: ['deploy'],
      skipTags: ['slow'],
      extraVars: { port: { plain: 80 }, host: { text: { literal: 'a' } } },
    })
  })

  test('keeps secrets by reference, and lets the masker know them', () => {
    const { options, config, directory } = read(`    ansible:
      extra_vars:
        db: {url: "postgres://shop:\${DB_PASSWORD}@db/shop", pool: 5, file: pool.ini}
        tls_key: {file: key.pem}
        api_token: a-literal-secret
        passwords: [a-listed-secret]
        app: [{file: not-a-reference}, 1.5, "x$\${y}"]
        headers: {x-frame-options: DENY}
`)

    expect(options['production']?.extraVars).toEqual({
      db: {
        mapping: {
          url: { text: { template: 'postgres://shop:${DB_PASSWORD}@db/shop' } },
          pool: { plain: 5 },
          file: { text: { literal: 'pool.ini' } },
        },
      },
      tls_key: { text: { file: join(directory, 'key.pem') } },
      api_token: {
        text: { config: ['repositories', 'acme/infra', 'ansible', 'extra_vars', 'api_token'] },
      },
      passwords: {
        list: [
          { text: { config: ['repositories', 'acme/infra', 'ansible', 'extra_vars', 'passwords', '0'] } },
        ],
      },
      app: {
        list: [
          { mapping: { file: { text: { literal: 'not-a-reference' } } } },
          { plain: 1.5 },
          { text: { literal: 'x${y}' } },
        ],
      },
      headers: { mapping: { 'x-frame-options': { text: { literal: 'DENY' } } } },
    })
    for (const secret of ['hunter2hunter2', 'a-key-of-some-length', 'a-literal-secret', 'a-listed-secret'])
      expect(config.secrets).toContain(secret)
    expect(config.lookup(['repositories', 'acme/infra', 'ansible', 'extra_vars', 'passwords', '0'])).toBe(
      'a-listed-secret',
    )
  })

  test.each([
    ['limit: "@hosts.retry"', 'limit: expected a host pattern such as web:!web3, got "@hosts.retry"'],
    ['limit: "web1,@hosts"', 'limit: expected a host pattern such as web:!web3, got "web1,@hosts"'],
    ['limit: "web1 @hosts"', 'limit: expected a host pattern such as web:!web3, got "web1 @hosts"'],
    ['limit: "web-{ref}"', 'limit: {ref} is not filled here; only {environment} is'],
    ['limit: "${STAGE}"', 'limit: would be seen in `ps`; write the pattern as it is, without ${…}'],
    [
      'tags: [a, "b,c"]',
      'tags[1]: expected a tag such as deploy: without commas, braces and spaces around it, not beginning with "-", got "b,c"',
    ],
    [
      'skip_tags: ["--check"]',
      'skip_tags[0]: expected a tag such as deploy: without commas, braces and spaces around it, not beginning with "-", got "--check"',
    ],
    ['tags: deploy', 'tags: expected a list of tags such as [deploy, config], got "deploy"'],
    ['extra_vars: {ferryman: 1}', 'extra_vars.ferryman: belongs to Ferryman; choose another name'],
    ['extra_vars: {ferryman_sha: 1}', 'extra_vars.ferryman_sha: belongs to Ferryman; choose another name'],
    [
      'extra_vars: {app-port: 1}',
      'extra_vars.app-port: expected the name of a variable: letters, digits and _, got "app-port"',
    ],
    [
      'extra_vars: {port: }',
      'extra_vars.port: expected a text, a number, true, false, a list, a mapping or {file: path}, got nothing',
    ],
    [
      'extra_vars: {id: 12345678901234567890}',
      'extra_vars.id: expected fewer digits; put it in quotes, got …',
    ],
    ['extra_vars: {a: [x, "${NOBODY}"]}', 'extra_vars.a[1]: the environment variable NOBODY is not set'],
    [
      'extra_vars: {key: {file: gone.pem}}',
      'extra_vars.key: <folder>/gone.pem cannot be read: it does not exist',
    ],
    [
      'requirements: requirements.txt',
      'requirements: expected a path that ends in .yml or .yaml, got "requirements.txt"',
    ],
    ['config: /dev/null', 'config: expected a path that ends in .cfg or .ini, got "/dev/null"'],
    ['vault_password_file: "${NOBODY}"', 'vault_password_file: the environment variable NOBODY is not set'],
    [
      'check: true',
      'check: is refused: a dry run changes nothing, but GitHub, :current and the next environment would take it for what is live; `ferryman dry-run` makes one that nobody takes for a deployment',
    ],
    ['extra_var: {}', 'extra_var: unknown key; did you mean extra_vars?'],
    [
      'forks: 5',
      'forks: unknown key; known here: limit, tags, skip_tags, extra_vars, vault_password_file, requirements, config',
    ],
  ])('is refused with its place: %s', (line, problem) => {
    const [found = '', ...more] = problemsOf(`${ENTRY}    ansible:\n      ${line}\n`, {
      environment: ENVIRONMENT,
    })

    expect(more).toEqual([])
    expect(found).toMatch(/^config\.yml:7:\d+ repositories\.acme\/infra\.ansible\./)
    expect(found.replace(/^.*?\.ansible\./, '')).toBe(problem)
  })

  test('names one file of settings, once', () => {
    const lines = '    env: {ANSIBLE_CONFIG: a.cfg}\n    ansible: {config: b.cfg}\n'

    expect(problemsOf(ENTRY + lines)).toEqual([
      'config.yml:7:15 repositories.acme/infra.ansible.config: is named by ANSIBLE_CONFIG under `env` as well; write one of them',
    ])
  })

  test('is about playbooks: beside commands it is refused, and shared with them it is not', () => {
    const needs = 'needs ansible_hosts and ansible_playbook; here no playbook is run'
    const shared = 'ansible: {tags: [a]}, ansible_hosts: h, ansible_playbook: p'

    expect(
      problemsOf(`${GITHUB}repositories:
  acme/one: {folder: /a, commands: [[id]], ansible: {tags: [a]}}
  acme/two: {folder: /b, environments: {docs: {commands: [[id]], ansible: {tags: [a]}}}}
  acme/folder: {tasks_folder: /e, ansible: {tags: [a]}}
  acme/three: {folder: /c, ${shared}, environments: {live: {}, docs: {folder: /d, commands: [[id]]}}}
`),
    ).toEqual([
      `config.yml:3:44 repositories.acme/one.ansible: ${needs}`,
      `config.yml:4:66 repositories.acme/two.environments.docs.ansible: ${needs}`,
      `config.yml:5:35 repositories.acme/folder.ansible: ${needs}`,
    ])
  })
})
