import { chmodSync, chownSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { describe, expect, test } from 'vitest'

import type { SlackNotices } from '../../src/config/config.ts'
import { findConfig, loadConfig } from '../../src/config/load.ts'
import { NO_HOOKS } from '../../src/deployment/recipe.ts'
import { FerrymanError } from '../../src/errors.ts'
import { createMasker } from '../../src/logs/redact.ts'
import { ENTRY, folder, GITHUB, load, problemsOf, problemsOfShop, shop, written } from './written.ts'

describe('where the configuration is looked for', () => {
  const find = (exists: string[], flag?: string, environment = {}) =>
    findConfig({
      flag,
      environment,
      cwd: '/home/me',
      look: (path) => (exists.includes(path) ? 'there' : 'missing'),
    })

  test('the flag, then FERRYMAN_CONFIG, then here, then /etc', () => {
    const all = ['/a.yml', '/b.yml', '/home/me/config.yml', '/etc/ferryman/config.yml']

    expect(find(all, '../../a.yml', { FERRYMAN_CONFIG: '/b.yml' })).toBe('/a.yml')
    expect(find(all, undefined, { FERRYMAN_CONFIG: '/b.yml' })).toBe('/b.yml')
    expect(find(all)).toBe('/home/me/config.yml')
    expect(find(all, undefined, { FERRYMAN_CONFIG: '' })).toBe('/home/me/config.yml')
    expect(find(['/etc/ferryman/config.yml'])).toBe('/etc/ferryman/config.yml')
  })

  test('what was named is never replaced by another', () => {
    expect(() => find(['/home/me/config.yml'], 'mine.yml')).toThrow(
      'There is no configuration at /home/me/mine.yml.',
    )
  })

  test('one in a folder that may not be entered is no missing one, unless it is only where somebody happens to be', () => {
    const hidden = (places: readonly string[], flag?: string) => () =>
      findConfig({
        flag,
        environment: {},
        cwd: '/root',
        look: (path) => (places.some((place) => path.startsWith(place)) ? 'hidden' : 'missing'),
      })

    expect(hidden(['/etc/ferryman/'])()).toBe('/etc/ferryman/config.yml')
    expect(hidden(['/root/', '/etc/ferryman/'])()).toBe('/etc/ferryman/config.yml')
    expect(hidden(['/root/'], 'mine.yml')()).toBe('/root/mine.yml')
    expect(hidden(['/root/'])).toThrow('There is no configuration at')
  })

  test('nothing anywhere names every place', () => {
    expect(() => find([])).toThrow(
      'There is no configuration at /home/me/config.yml or /etc/ferryman/config.yml.',
    )
  })
})

describe('what a configuration means', () => {
  test('the short form is one environment called production, with every default', () => {
    const file = written(`${GITHUB}repositories: {Acme/Shop: {folder: shop, commands: [[git, fetch]]}}`)

    const { lookup, ...config } = loadConfig(file, { environment: {} })

    expect(config).toEqual({
      file,
      server: { host: '127.0.0.1', port: 5000, publicUrl: undefined, apiToken: undefined },
      dataDir: join(dirname(file), 'data'),
      database: undefined,
      maxConcurrent: 1,
      catchUpSeconds: 300,
      catchUpMaxAgeSeconds: 86_400,
      lockReminderSeconds: 86_400,
      github: {
        webhookSecrets: ['0123456789abcdef'],
        credentials: { token: 'ghp_xyz' },
        apiUrl: 'https://api.github.com',
        creationsPerHour: 480,
        requestsPerMinute: 300,
      },
      slack: undefined,
      retention: {
        deliveriesMs: 30 * 86_400_000,
        deliveriesBytes: 1_000_000_000,
        logsMs: 90 * 86_400_000,
        logsBytes: 10_000_000_000,
        historyMs: 730 * 86_400_000,
        historyCount: 1_000_000,
      },
      repositories: new Map([
        [
          'acme/shop',
          {
            name: 'Acme/Shop',
            environments: new Map([
              [
                'production',
                {
                  repository: 'Acme/Shop',
                  name: 'production',
                  lane: 'acme/shop/production',
                  requiredContexts: undefined,
                  enforceRequiredContexts: false,
                  evenWhenForced: [],
                  force: true,
                  checksWaitSeconds: 3600,
                  via: 'github',
                  poll: undefined,
                  deployOn: 'merge',
                  order: 'queue',
                  branch: undefined,
                  defaultRef: undefined,
                  windows: undefined,
                  after: undefined,
                  approval: undefined,
                  acceptActionsDeployments: false,
                  publicLogs: false,
                  environmentUrl: undefined,
                  commitStatus: false,
                  logTo: undefined,
                  slack: undefined,
                  tasks: new Map(),
                  anyTask: undefined,
                  recipe: {
                    kind: 'commands',
                    folder: join(dirname(file), 'shop'),
                    commands: [['git', 'fetch']],
                    env: {},
                    timeoutSeconds: 3600,
                    silenceSeconds: 600,
                    leaveProcesses: false,
                    maxLogBytes: 52_428_800,
                    hooks: NO_HOOKS,
                  },
                },
              ],
            ]),
          },
        ],
      ]),
      secrets: ['0123456789abcdef', 'ghp_xyz'],
      warnings: [],
    })
    expect(lookup(['github', 'token'])).toBeUndefined()
  })

  test('an environment overrides its repository key by key, and joins env name by name', () => {
    const { repositories } = load(`${GITHUB}repositories:
  acme/shop:
    folder: /srv/a
    timeout: 10
    commands: [[old]]
    env: {A: shared, B: shared}
    environments:
      Staging: {folder: /srv/b, deploy: 'new {sha}', env: {B: own}}
      production: {timeout: 1h30m, required_contexts: []}
`)
    const environments = repositories.get('acme/shop')?.environments

    expect([...(environments?.keys() ?? [])]).toEqual(['staging', 'production'])
    expect(environments?.get('staging')?.name).toBe('Staging')
    expect(environments?.get('staging')?.recipe).toMatchObject({
      folder: '/srv/b',
      timeoutSeconds: 10,
      commands: [['new', '{sha}']],
      env: { A: { literal: 'shared' }, B: { literal: 'own' } },
    })
    expect(environments?.get('production')?.recipe).toMatchObject({
      folder: '/srv/a',
      timeoutSeconds: 5400,
      commands: [['old']],
      env: { A: { literal: 'shared' }, B: { literal: 'shared' } },
    })
    expect(environments?.get('production')?.requiredContexts).toEqual([])
  })

  test('who is told by Slack: each key counts where it stands first, and off is off', () => {
    const { repositories, slack } = load(
      `${GITHUB}slack: {webhook_url: 'https://hooks.example.org/general'}
repositories:
  acme/shop:
    folder: /srv/shop
    lane: shop
    commands: [[id]]
    notify: {slack: {webhook_url: '\${SHOP}', events: [failed]}}
    environments:
      inherits: {}
      louder: {notify: {slack: {events: [held, queued, started, succeeded, failed, cancelled]}}}
      elsewhere: {notify: {slack: {webhook_url: 'https://hooks.example.org/elsewhere'}}}
      silent: {notify: {slack: off}}
      mute: {notify: {slack: {events: []}}}
  acme/blog:
    folder: /srv/blog
    lane: blog
    commands: [[id]]
    notify: {slack: off}
    environments:
      silent: {notify: {}}
      staging: {notify: {slack: {events: [failed]}}}
  acme/site: {folder: /srv/site, commands: [[id]]}
`,
      { environment: { SHOP: 'https://hooks.example.org/shop' } },
    )
    const told = (repository: string, environment: string) => {
      const { webhookUrl, events }: Partial<SlackNotices> =
        repositories.get(repository)?.environments.get(environment)?.slack ?? {}
      return [webhookUrl?.split('/').at(-1), events?.length]
    }

    expect(told('acme/shop', 'inherits')).toEqual(['shop', 1])
    expect(told('acme/shop', 'louder')).toEqual(['shop', 6])
    expect(told('acme/shop', 'elsewhere')).toEqual(['elsewhere', 1])
    expect(told('acme/shop', 'silent')).toEqual([undefined, undefined])
    expect(told('acme/shop', 'mute')).toEqual([undefined, undefined])
    expect(told('acme/blog', 'silent')).toEqual([undefined, undefined])
    expect(told('acme/blog', 'staging')).toEqual(['general', 1])
    expect(told('acme/site', 'production')).toEqual(['general', 4])
    expect(slack?.events).toEqual(['started', 'succeeded', 'failed', 'cancelled'])
  })

  test('the address that Slack is told at is a secret, wherever it stands and however it is written', () => {
    const directory = folder()
    writeFileSync(join(directory, 'url'), 'https://hooks.slack.com/services/T1/B1/from-a-file\n')
    const { secrets } = load(
      `${GITHUB}repositories:
  a-b/c.d:
    folder: /srv/shop
    lane: shop
    commands: [[id]]
    notify: {slack: {webhook_url: {file: ${directory}/url}}}
    environments: {e.f: {notify: {slack: {webhook_url: '\${SHOP}'}}}, g: {}}
`,
      { environment: { SHOP: 'https://hooks.slack.com/services/T1/B1/from-a-variable' } },
    )

    for (const name of ['from-a-file', 'from-a-variable']) {
      expect(secrets).toContain(`https://hooks.slack.com/services/T1/B1/${name}`)
      expect(secrets).toContain(`services/T1/B1/${name}`)
    }
  })

  test('slashes at the end of addresses are left out', () => {
    const { server, github } = load(
      `server: {public_url: 'https://d.example.org/ferryman/'}\ngithub: {webhook_secret: '0123456789abcdef', token: t, api_url: 'https://g.example.org/api/v3/'}\n${ENTRY}`,
    )

    expect(server.publicUrl).toBe('https://d.example.org/ferryman')
    expect(github.apiUrl).toBe('https://g.example.org/api/v3')
  })

  test.each([
    ['timeout: 45', { timeoutSeconds: 45 }],
    ['timeout: 45s', { timeoutSeconds: 45 }],
    ['timeout: 30m', { timeoutSeconds: 1800 }],
    ['timeout: 24h', { timeoutSeconds: 86_400 }],
    ['max_log_bytes: 65536', { maxLogBytes: 65_536 }],
    ['max_log_bytes: 50MB', { maxLogBytes: 50_000_000 }],
    ['max_log_bytes: 1.5MiB', { maxLogBytes: 1_572_864 }],
  ])('%s', (line, expected) => {
    expect(shop(`commands: [[id]]\n${line}`).recipe).toMatchObject(expected)
  })

  test('a command as one text is split once, and its placeholders wait', () => {
    expect(shop('deploy: fab -R {env} "deploy:sha={sha}, now"').recipe).toHaveProperty('commands', [
      ['fab', '-R', '{env}', 'deploy:sha={sha}, now'],
    ])
  })

  test('$${ writes a literal ${', () => {
    expect(shop(`commands: [[sh, -c, 'echo $\${HOME}']]\nenv: {A: 'a$\${b}'}`).recipe).toMatchObject({
      commands: [['sh', '-c', 'echo ${HOME}']],
      env: { A: { literal: 'a${b}' } },
    })
  })

  test('keys that begin with x- are free everywhere, but x-owner/name is a repository', () => {
    const { repositories } = load(`x-note: {any: thing}
github: {webhook_secret: '0123456789abcdef', token: t, x-note: 1}
repositories:
  x-shared: &shared {folder: /srv/a, x-note: 1}
  x-acme/shop: {<<: *shared, commands: [[id]], env: {x-note: 1}, environments: {x-e: {folder: 5}, live: {}}}
`)

    expect([...repositories.keys()]).toEqual(['x-acme/shop'])
    expect([...(repositories.get('x-acme/shop')?.environments.keys() ?? [])]).toEqual(['live'])
  })

  test('two environments may share a folder in the same lane', () => {
    const { repositories } = load(
      `${GITHUB}repositories:\n  a/b: {folder: /srv/x, lane: Site, commands: [[id]]}\n  a/c: {folder: /srv/x/, lane: site, commands: [[id]]}\n`,
    )

    expect(repositories.get('a/b')?.environments.get('production')?.lane).toBe('site')
    expect(repositories.get('a/c')?.environments.get('production')?.lane).toBe('site')
  })
})

describe('what the surroundings say instead', () => {
  const server = (environment: Record<string, string>, overrides = {}) =>
    load(`server: {port: 1, host: 127.0.0.1}\n${GITHUB}${ENTRY}`, { environment, overrides })

  test('a flag wins over FERRYMAN_PORT, that over PORT, and that over the file', () => {
    expect(server({ PORT: '' }).server.port).toBe(1)
    expect(server({ PORT: '2' }).server.port).toBe(2)
    expect(server({ PORT: '2', FERRYMAN_PORT: '3' }).server.port).toBe(3)
    expect(server({ PORT: '2', FERRYMAN_PORT: '3' }, { port: '4' }).server.port).toBe(4)
  })

  test('the other variables', () => {
    const config = server({
      FERRYMAN_HOST: '::',
      FERRYMAN_PUBLIC_URL: 'https://d.example.org/',
      FERRYMAN_DATA_DIR: '/var/lib/ferryman',
      FERRYMAN_DATABASE: 'postgres://me:hidden-word@db/f',
    })

    expect(config.server).toMatchObject({ host: '::', publicUrl: 'https://d.example.org' })
    expect(config.dataDir).toBe('/var/lib/ferryman')
    expect(config.database).toBe('postgres://me:hidden-word@db/f')
    expect(config.secrets).toContain('hidden-word')
  })

  test.each([
    ['postgres://ferryman@db.example.org:5432/ferryman?sslmode=require', false],
    ['postgresql:///ferryman?host=/run/postgresql', false],
    ['postgres://me:hidden-word@db/f', true],
    ['postgres://me:hidden/word@db/f', true],
    ['postgres://me%3Ahidden-word@db/f', true],
    ['postgres://db/f?user=me&password=hidden-word', true],
    ['postgres://db/f?sslpassword=hidden-word', true],
  ])('the address of a database is secret where a password is in it: %s, %s', (address, isSecret) => {
    expect(server({ FERRYMAN_DATABASE: address }).secrets.includes(address)).toBe(isSecret)
  })

  test('what is wrong with them names them, and never shows a secret', () => {
    const environment = {
      PORT: 'many',
      FERRYMAN_PUBLIC_URL: 'deploy',
      FERRYMAN_DATABASE: 'mysql://me:hidden@db',
    }

    expect(problemsOf(`${GITHUB}${ENTRY}`, { environment, overrides: { dataDir: 'a\nb' } })).toEqual([
      'PORT: expected a port from 0 to 65535, got "many"',
      'FERRYMAN_PUBLIC_URL: expected an address such as https://deploy.example.org, got "deploy"',
      '--data-dir: expected a path, got "a\\nb"',
      'FERRYMAN_DATABASE: expected an address such as postgres://user:password@host/name, as a text such as ${NAME} or as {file: path}, got …',
    ])
  })

  test('where nothing but a flag is wrong, the call was, and not the file', () => {
    const wrong = { overrides: { port: '70000', host: '' } }

    expect(() => load(`${GITHUB}${ENTRY}`, wrong)).toThrow(
      expect.objectContaining({
        status: 400,
        message:
          'These parts of the request are wrong: --host (expected an address to listen on, such as 127.0.0.1, got ""), --port (expected a port from 0 to 65535, got 70000).',
      }),
    )
    expect(() => load(ENTRY, wrong)).toThrow(expect.objectContaining({ code: 'config_invalid' }))
  })
})

describe('what is wrong is said with its place, all of it at once', () => {
  test('many things in one file', () => {
    const text = `server: {prt: 80, port: eighty}
github:
  webhook_secret: '  '
  token: \${GITHUB_TOKEN}
slack:
tokn: x
repositories:
  acme/shop:
    comands: [[id]]
    folder: /srv/shop
    environments:
      production:
        timeout: soon
        commands:
          - git fetch
          - [curl, 8080, '{shaa}']
  acme/blog: {folder: /srv/blog}
`

    expect(problemsOf(text)).toEqual([
      'config.yml:1:10 server.prt: unknown key; did you mean port?',
      'config.yml:1:19 server.port: expected a port from 0 to 65535, got "eighty"',
      'config.yml:3:3 github.webhook_secret: expected a secret, as a text such as ${NAME} or as {file: path}, got …',
      'config.yml:4:3 github.token: the environment variable GITHUB_TOKEN is not set',
      'config.yml:5:1 slack: expected a mapping with webhook_url, got nothing',
      'config.yml:6:1 tokn: unknown key; did you mean github.token?',
      'config.yml:9:5 repositories.acme/shop.comands: unknown key; did you mean commands?',
      'config.yml:13:9 repositories.acme/shop.environments.production.timeout: expected a number of seconds or a text like 30m, got "soon"',
      'config.yml:15:13 repositories.acme/shop.environments.production.commands[0]: expected a list of words such as [git, fetch], or a mapping with run and name, got "git fetch": write [git, fetch]',
      'config.yml:16:20 repositories.acme/shop.environments.production.commands[1][1]: expected a text, got 8080: quote it, "8080"',
      'config.yml:16:26 repositories.acme/shop.environments.production.commands[1][2]: unknown placeholder {shaa}; did you mean {sha}?',
      'config.yml:17:3 repositories.acme/blog.commands: is missing: expected at least one command such as [git, fetch]',
    ])
  })

  test('what is wrong inside of one thing hides nothing of another', () => {
    const text = `${GITHUB}repositories:
  acme/shop:
    folder: /srv/shop
    commands: [[curl, '{shaa}']]
  acme/blog:
    folder: /srv/blog
    commands: [[id]]
    health_check: {url: blog}
  acme/app: {commands: [[id]], releases: {path: 5}}
  acme/site: {commands: [[id]], workspace: frsh}
  acme/docs: {releases: {keep: 3}}
`

    expect(problemsOf(text)).toEqual([
      'config.yml:5:23 repositories.acme/shop.commands[0][1]: unknown placeholder {shaa}; did you mean {sha}?',
      'config.yml:9:20 repositories.acme/blog.health_check.url: expected an address such as http://127.0.0.1:8080/health, got …',
      'config.yml:10:43 repositories.acme/app.releases.path: expected a path, got 5',
      'config.yml:11:33 repositories.acme/site.workspace: expected fresh, none, or a mapping with keys such as submodules and ssh_key_file, got "frsh"',
      'config.yml:12:15 repositories.acme/docs.releases.path: is missing: expected a path',
    ])
  })

  test('the error holds every line', () => {
    const file = written('github: {}\n')

    expect(() => loadConfig(file, { environment: {} })).toThrow(
      new FerrymanError('config_invalid', {
        file,
        count: '3 problems',
        list: [
          'config.yml:1:1 github.webhook_secret: is missing: expected a secret, as a text such as ${NAME}, as {file: path}, or as a list of these',
          'config.yml:1:1 repositories: is missing: expected a mapping of repositories such as {acme/shop: {folder: /srv/shop}}',
          'config.yml:1:1 github.token: is missing: expected a token without white space, as a text such as ${NAME} or as {file: path}; or app: {id, private_key_file}',
        ].join('\n'),
      }),
    )
  })

  test.each([
    ['', 'config.yml:1:1 expected keys such as github and repositories, got an empty file'],
    ['# nothing\n', 'config.yml:1:1 expected keys such as github and repositories, got an empty file'],
    ['- a\n', 'config.yml:1:1 expected a mapping with keys such as github and repositories, got a list'],
    ['a:\n  - b\n c: 1\n', 'config.yml:3:2 bad indentation of a mapping entry'],
    [
      'a: {b: ${C}}\n',
      'config.yml:1:9 missed comma between flow collection entries; inside of { } and [ ] quote a text that has braces or brackets',
    ],
    [
      'a: {b: 1\nc: 2\n',
      'config.yml:2:1 a {, a [ or a quote above is not closed, or what is inside of it is not indented',
    ],
    [
      'a: "b\nc: 2\n',
      'config.yml:2:1 a {, a [ or a quote above is not closed, or what is inside of it is not indented',
    ],
    ['a: 1\n---\nb: 2\n', 'config.yml:1:1 expected a single document in the stream, but found more'],
    ['a: *hunter2\n', 'config.yml:1:5 this alias names no anchor; quote a text that begins with *'],
    ['a: !hunter2 b\n', 'config.yml:1:4 unknown tag; quote a text that begins with !'],
    [
      'server:\n  port: 1\n  port: 2\n',
      'config.yml:3:3 server.port: is here for the second time; the first is on line 2',
    ],
    ['a: &a [*a]\n', 'config.yml:1:8 a[0]: is an alias inside of what it names'],
    ['__proto__: {}\n', 'config.yml:1:1 __proto__: cannot be used as a name'],
  ])('%j', (text, problem) => {
    expect(problemsOf(text)).toEqual([problem])
  })

  test('aliases of aliases are cut off', () => {
    const levels = Array.from(
      { length: 30 },
      (_, level) => `a${level + 1}: &a${level + 1} [*a${level}, *a${level}]`,
    )

    expect(problemsOf(`a0: &a0 x\n${levels.join('\n')}\n`)).toEqual([
      'config.yml:1:1 holds more than 100000 values, aliases counted',
    ])
  })

  test.each([
    [
      'commands: [[id]]\ntimeout: 25h',
      'config.yml:6:5 repositories.acme/shop.timeout: expected at most 24h, got "25h"',
    ],
    [
      'commands: [[id]]\ntimeout: 0',
      'config.yml:6:5 repositories.acme/shop.timeout: expected more than 0 seconds, got 0',
    ],
    [
      'commands: [[id]]\nmax_log_bytes: 1KB',
      'config.yml:6:5 repositories.acme/shop.max_log_bytes: expected at least 64KiB, got "1KB"',
    ],
    [
      'commands: [[id]]\nmax_log_bytes: big',
      'config.yml:6:5 repositories.acme/shop.max_log_bytes: expected a number of bytes or a text like 50MB or 10MiB, got "big"',
    ],
    [
      'commands: [[id]]\nlane: a b',
      'config.yml:6:5 repositories.acme/shop.lane: expected a name of letters, digits, ".", "_", "-" and "/", got "a b"',
    ],
    [
      'commands: [[id]]\npublic_logs: yes',
      'config.yml:6:5 repositories.acme/shop.public_logs: expected true or false, got "yes"',
    ],
    [
      'commands: [[id]]\nrequired_contexts: some',
      'config.yml:6:5 repositories.acme/shop.required_contexts: expected a list of check names such as [ci/test], or all, got "some"',
    ],
    [
      'commands: [[id]]\nenvironment_url: shop',
      'config.yml:6:5 repositories.acme/shop.environment_url: expected an address such as https://shop.example.org, got "shop"',
    ],
    [
      'commands: [[id]]\nenvironment_url: https://x/{sha}',
      'config.yml:6:5 repositories.acme/shop.environment_url: {sha} is not filled here; write the address as it is',
    ],
    [
      'commands: [[id]]\nenvironments: {}',
      'config.yml:6:5 repositories.acme/shop.environments: expected at least one environment, got an empty mapping',
    ],
    [
      'commands: []',
      'config.yml:5:5 repositories.acme/shop.commands: expected at least one command such as [git, fetch], got an empty list',
    ],
    [
      'commands: [[]]',
      'config.yml:5:16 repositories.acme/shop.commands[0]: expected a list of words such as [git, fetch], got an empty list',
    ],
    [
      "commands: [['']]",
      'config.yml:5:16 repositories.acme/shop.commands[0]: expected a program as the first word, got a list',
    ],
    [
      'commands: git fetch',
      'config.yml:5:5 repositories.acme/shop.commands: expected a list of commands such as [git, fetch], got "git fetch": write [[git, fetch]]',
    ],
    [
      'commands: [[id, true]]',
      'config.yml:5:21 repositories.acme/shop.commands[0][1]: expected a text, got true: quote it, "true"',
    ],
    [
      "commands: [[id, '{print}']]",
      'config.yml:5:21 repositories.acme/shop.commands[0][1]: unknown placeholder {print}; known are {sha}, {short_sha}, {ref}, {environment}, {env}, {task}, {repository}, {previous_sha}, {workspace} and {payload.key}; braces of your own need a space: { }',
    ],
    [
      "commands: [['{payload.x}']]",
      'config.yml:5:17 repositories.acme/shop.commands[0][0]: {payload.x} cannot choose the program; write its name',
    ],
    [
      "commands: [[id, '--{ref}']]",
      'config.yml:5:21 repositories.acme/shop.commands[0][1]: {ref} cannot choose an option; write its name',
    ],
    [
      "commands: [[/bin/bash, -ec, 'x {ref}']]",
      `config.yml:5:33 repositories.acme/shop.commands[0][2]: {ref} would be read as shell; hand it over as a word of its own: [sh, -c, 'echo "$1"', sh, "{ref}"]`,
    ],
    [
      "commands: [[id, 'a${B}']]",
      'config.yml:5:21 repositories.acme/shop.commands[0][1]: ${B} would be seen in `ps`; hand it over with `env:`, or write $${B} if it is meant as it stands',
    ],
    [
      'deploy: make && make install',
      'config.yml:5:5 repositories.acme/shop.deploy: && needs a shell, and none reads it; use `commands`, one line each',
    ],
    ['deploy: echo "a', 'config.yml:5:5 repositories.acme/shop.deploy: the quotes are not closed'],
    [
      'deploy: "{sha}"',
      'config.yml:5:5 repositories.acme/shop.deploy: {sha} cannot choose the program; write its name',
    ],
    [
      'commands: [[id]]\ndeploy: id',
      'config.yml:6:5 repositories.acme/shop.deploy: stands beside commands; write one of them',
    ],
    [
      'ansible_hosts: h',
      'config.yml:5:5 repositories.acme/shop.ansible_hosts: needs ansible_playbook beside it',
    ],
    [
      'ansible_playbook: p',
      'config.yml:5:5 repositories.acme/shop.ansible_playbook: needs ansible_hosts beside it',
    ],
    [
      'commands: [[id]]\nansible_hosts: h\nansible_playbook: p',
      'config.yml:7:5 repositories.acme/shop.ansible_playbook: stands beside commands; write one of them',
    ],
    [
      'deploy: id\nansible_hosts: h\nansible_playbook: p',
      'config.yml:7:5 repositories.acme/shop.ansible_playbook: stands beside deploy; write one of them',
    ],
    [
      'ansible_hosts: h\nansible_playbook: "{environment}.yml"',
      'config.yml:6:5 repositories.acme/shop.ansible_playbook: {environment} is not filled here; write the path as it is',
    ],
    [
      'commands: [[id]]\ncommit_status: true\nrequired_contexts: [ci/test, Ferryman/production]',
      'config.yml:7:5 repositories.acme/shop.required_contexts: ferryman/production is what commit_status writes: it would wait for itself',
    ],
    [
      'commands: [[id]]\nnotify: {slack: {events: [failed]}}',
      'config.yml:6:14 repositories.acme/shop.notify.slack: has no address: write webhook_url here, or slack.webhook_url for all',
    ],
    [
      'commands: [[id]]\nnotify: {slack: {evnts: [failed]}}',
      'config.yml:6:22 repositories.acme/shop.notify.slack.evnts: unknown key; did you mean events?',
    ],
    [
      'commands: [[id]]\nnotify: {slak: off}',
      'config.yml:6:14 repositories.acme/shop.notify.slak: unknown key; did you mean slack?',
    ],
    [
      'commands: [[id]]\nnotify: {slack: {events: [finished]}}',
      'config.yml:6:31 repositories.acme/shop.notify.slack.events[0]: expected one of held, queued, started, succeeded, failed, cancelled, got "finished"',
    ],
    [
      'commands: [[id]]\nnotify: {slack: no}',
      'config.yml:6:14 repositories.acme/shop.notify.slack: expected off, or a mapping with keys such as webhook_url and events, got "no"',
    ],
    [
      'commands: [[id]]\nnotify: {slack: {webhook_url: hooks.slack.com/services/T1/B1/hunter2}}',
      'config.yml:6:22 repositories.acme/shop.notify.slack.webhook_url: expected an https address, as a text such as ${NAME} or as {file: path}, got …',
    ],
    [
      'commands: [[id]]\nlock: x',
      'config.yml:6:5 repositories.acme/shop.lock: not supported by this version',
    ],
    [
      'commands: [[id]]\nenv: {GITHUB_SHA: x}',
      'config.yml:6:11 repositories.acme/shop.env.GITHUB_SHA: is set by Ferryman itself; choose another name',
    ],
    [
      'commands: [[id]]\nenv: {FERRYMAN_X: x}',
      'config.yml:6:11 repositories.acme/shop.env.FERRYMAN_X: is set by Ferryman itself; choose another name',
    ],
    [
      'commands: [[id]]\nenv: {A-B: x}',
      'config.yml:6:11 repositories.acme/shop.env.A-B: expected a variable name of letters, digits and _, got "A-B"',
    ],
    [
      'commands: [[id]]\nenv: {A: [hunter2]}',
      'config.yml:6:11 repositories.acme/shop.env.A: expected a text, a number, true, false or {file: path}, got a list',
    ],
    [
      'commands: [[id]]\nenv: {A: "${GONE}${AWAY}"}',
      'config.yml:6:11 repositories.acme/shop.env.A: the environment variables GONE and AWAY are not set',
    ],
    [
      'commands: [[id]]\nenv: {A: "${B:-c}"}',
      'config.yml:6:11 repositories.acme/shop.env.A: write a reference as ${NAME}, and $${ where ${ itself is meant',
    ],
    [
      'commands: [[id]]\nenv: {A: {file: gone}}',
      'config.yml:6:11 repositories.acme/shop.env.A: <folder>/gone cannot be read: it does not exist',
    ],
    [
      'commands: [[id]]\nenv: {A: {file: .}}',
      'config.yml:6:11 repositories.acme/shop.env.A: <folder> is no regular file',
    ],
  ])('%j', (lines, problem) => {
    expect(problemsOfShop(lines)).toEqual([problem])
  })

  test('what may be a word or a mapping: of a mapping, what is wrong inside', () => {
    const wrong = 'commands: [[id]]\nnotify: {slack: {webhook_url: {fil: hunter2}, events: failed}}'

    expect(problemsOfShop(wrong)).toEqual([
      'config.yml:6:36 repositories.acme/shop.notify.slack.webhook_url.fil: unknown key; did you mean file?',
      'config.yml:6:51 repositories.acme/shop.notify.slack.events: expected a list of held, queued, started, succeeded, failed and cancelled, got "failed"',
    ])
  })

  test.each([
    'acme',
    '-acme/shop',
    'acme/shop.git',
    'acme/..',
    'acme/a/b',
    'ac me/shop',
    `${'a'.repeat(40)}/shop`,
  ])('a repository is not called %s', (name) => {
    expect(
      problemsOf(`${GITHUB}repositories: {${JSON.stringify(name)}: {folder: /a, commands: [[id]]}}`),
    ).toEqual([`config.yml:2:16 repositories.${name}: expected a repository as owner/name, got "${name}"`])
  })

  test('names that differ only in case are the same to GitHub', () => {
    const text = `${GITHUB}repositories:
  acme/shop: {folder: /a, commands: [[id]]}
  Acme/Shop: {commands: [[id]], environments: {a: {folder: /b}, A: {folder: /c}}}
`

    expect(problemsOf(text)).toEqual([
      'config.yml:4:3 repositories.Acme/Shop: is the same repository as acme/shop on line 3; only the case differs',
      'config.yml:4:65 repositories.Acme/Shop.environments.A: is the same environment as a on line 4; only the case differs',
    ])
  })

  test('a folder that two lanes share is refused, and the way out is named', () => {
    const real = folder()
    mkdirSync(join(real, 'a'))
    symlinkSync('a', join(real, 'b'))
    const text = `${GITHUB}repositories:
  acme/shop: {folder: ${real}/a, commands: [[id]]}
  acme/blog: {folder: ${real}/b, lane: blog, commands: [[id]]}
`

    expect(problemsOf(text)).toEqual([
      `config.yml:4:15 repositories.acme/blog.folder: ${real}/b is also the folder of acme/shop production, and deployments of acme/blog production could meet there: write the same lane in both, such as \`lane: some-name\``,
    ])
  })

  test('environments that inherit one folder share it', () => {
    expect(problemsOfShop('commands: [[id]]\nenvironments: {a: {}, b: {}}')).toEqual([
      'config.yml:4:5 repositories.acme/shop.folder: /srv/shop is also the folder of acme/shop a, and deployments of acme/shop b could meet there: write the same lane in both, such as `lane: some-name`',
    ])
  })

  test('without a folder there is nowhere to run', () => {
    expect(problemsOf(`${GITHUB}repositories: {acme/shop: {commands: [[id]]}}`)).toEqual([
      'config.yml:2:16 repositories.acme/shop.folder: is missing: expected where the commands run',
    ])
  })

  test('a file that cannot be read', () => {
    const gone = join(folder(), 'config.yml')
    const bytes = written('')
    writeFileSync(bytes, Buffer.concat([Buffer.from('# café\n# caf'), Buffer.from([0xe9, 0x0a])]))
    const large = written(`# ${'x'.repeat(1_048_576)}`)

    const message = (file: string, cause: string) => `The configuration ${file} cannot be read: ${cause}.`
    const read = (file: string) => () => loadConfig(file, { environment: {} })

    expect(read(gone)).toThrow(message(gone, 'it does not exist'))
    expect(read(join(gone, '..'))).toThrow('cannot be read: it is a directory.')
    expect(read(bytes)).toThrow(message(bytes, 'line 2 is not UTF-8 text'))
    expect(read(large)).toThrow(message(large, 'it is larger than 1 MB'))
  })
})

describe('what works and is doubtful', () => {
  const strict = `server: {api_token: short}\ngithub: {webhook_secret: [longenough-longenough, tiny], token: '\${T}'}\n${ENTRY}`

  test('a secret that can be guessed', () => {
    expect(load(strict, { environment: { T: 'a-long-token' } }).warnings).toEqual([
      'config.yml:1:10 server.api_token: is shorter than 16 characters; make one with `openssl rand -hex 32`',
      'config.yml:2:50 github.webhook_secret[1]: is shorter than 16 characters; make one with `openssl rand -hex 32`',
    ])
  })

  test('a secret that is too short to be masked, by its name and never its value', () => {
    const config = load(
      `github: {webhook_secret: '0123456789abcdef', token: '\${T}'}
repositories:
  acme/shop:
    folder: .
    commands: [[id]]
    env: {PIN: '\${P}', STAGE: '\${S}', DATABASE: '\${D}', LONG: '\${L}'}
`,
      { environment: { T: 'ghp_x', P: '12345', S: 'beta', D: 'postgres://me:pw#1@db/shop', L: 'sixsix6' } },
    )
    const told =
      'is too short to be masked: wherever it is printed it can be read; make it 6 characters or more'

    expect(config.warnings).toEqual([
      `config.yml:1:46 github.token: ${told}`,
      `config.yml:6:11 repositories.acme/shop.env.PIN: ${told}`,
      `config.yml:6:39 repositories.acme/shop.env.DATABASE: ${told}`,
    ])
    const { mask } = createMasker(config.secrets)
    expect(mask('ghp_x 12345 pw#1 sixsix6')).toBe('ghp_x 12345 pw#1 •••')
  })

  test('a secret in a file that others may read', () => {
    const file = written(`${GITHUB}${ENTRY}`)
    chmodSync(file, 0o644)

    expect(loadConfig(file, { environment: {} }).warnings).toEqual([
      'config.yml:1:10 github.webhook_secret: stands in a file that others may read (mode 644); write ${NAME} or {file: path}, or run `chmod 600 config.yml`',
    ])
  })

  test.skipIf(process.getuid?.() !== 0)(
    'that may be read by more than its group, where it is somebody else’s',
    () => {
      const file = written(`${GITHUB}${ENTRY}`)
      chownSync(file, 65_534, 0)
      const warningsWith = (mode: number) => {
        chmodSync(file, mode)
        return loadConfig(file, { environment: {} }).warnings
      }

      expect(warningsWith(0o640)).toEqual([])
      expect(warningsWith(0o644)).toEqual([
        'config.yml:1:10 github.webhook_secret: stands in a file that others may read (mode 644); write ${NAME} or {file: path}, or let it belong to a group of this user and run `chmod 640 config.yml`',
      ])
    },
  )

  test('checks for which only `ferryman deploy` waits', () => {
    const file = written(`${GITHUB}repositories:
  acme/shop:
    commands: [[id]]
    required_contexts: [ci/test]
    environments:
      staging: {folder: staging}
      production: {folder: production, deploy_on: none}
      enforced: {folder: enforced, deploy_on: none, enforce_required_contexts: true}
`)
    chmodSync(file, 0o600)

    expect(loadConfig(file, { environment: {} }).warnings).toEqual([
      'config.yml:5:5 repositories.acme/shop.required_contexts: with deploy_on: none only `ferryman deploy` waits for them, and what is asked for on GitHub is checked there alone; `enforce_required_contexts: true` looks at that, too',
    ])
  })

  test('nothing, when the secrets come from elsewhere', () => {
    const file = written(`github: {webhook_secret: {file: secret}, token: '\${T}'}\n${ENTRY}`, {
      secret: 'longenough-longenough\n',
    })
    chmodSync(file, 0o644)

    expect(loadConfig(file, { environment: { T: 'a-long-token' } })).toMatchObject({
      warnings: [],
      github: { webhookSecrets: ['longenough-longenough'] },
    })
  })
})
