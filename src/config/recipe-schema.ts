import { z } from 'zod'

import { ERRAND_TASKS } from '../deployment/errand.ts'
import { ansible } from './ansible.ts'
import { readCondition } from './condition.ts'
import { DEFAULTS } from './defaults.ts'
import { HEROKU } from './heroku.ts'
import { expecting, measure, text, textRead, toggle } from './expecting.ts'
import { REPOSITORY_SHAPE } from './git-source.ts'
import { inRepository } from './in-repository.ts'
import { readBytes, readSeconds } from './units.ts'

/** Names that Ferryman sets itself for every command, beside FERRYMAN_…. */
const SET_BY_US =
  /^(?:FERRYMAN_.*|(?:CURRENT|PREVIOUS)_CONFIG|GITHUB_(?:TASK|DEPLOYMENT_ID|DEPLOYMENT_URL|REF|SHA|OWNER|REPO|CREATOR|CREATOR_AVATAR|ENV))$/

const word = z
  .string(expecting('a text'))
  .refine((given) => !given.includes('\0'), expecting('a text without NUL'))
const command = z
  .array(word, expecting('a list of words such as [git, fetch]'))
  .min(1, expecting('a list of words such as [git, fetch]'))
  .refine(([program]) => program !== '', expecting('a program as the first word'))

const user = z
  .string(expecting('the name of a user such as shop'))
  .regex(/^[A-Za-z_][A-Za-z0-9_.@-]{0,63}\$?$/, expecting('the name of a user such as shop'))

/** A command in its long form. */
export const NAMED_COMMAND = {
  run: command.describe('The words of the command.'),
  name: text('a name such as migrate')
    .optional()
    .describe('What people call it, in the log, in messages and in the history.'),
  timeout: measure('a number of seconds or a text like 5m', readSeconds)
    .optional()
    .describe('Its own limit, within that of all commands together: seconds or a text like 5m.'),
  continue_on_error: toggle('Begin the next one although this one fails.').meta({ default: false }),
  run_as: user
    .optional()
    .describe('The user of this machine that it runs as, with the groups and the home of that user.'),
  if: textRead('a text such as changed("db/**")', readCondition)
    .optional()
    .describe(
      'When it is run: `changed("db/**", "package.json")`, where a file that matches one of these patterns differs from the last success. Where that cannot be known, it is run.',
    ),
}

const commands = (what: string) =>
  z
    .array(
      z.union(
        [command, z.strictObject(NAMED_COMMAND)],
        expecting('a list of words such as [git, fetch], or a mapping with run and name'),
      ),
      expecting('a list of commands such as [git, fetch]'),
    )
    .min(1, expecting(what))

const HOOK = 'a list of commands such as [[./notify]], or a folder of executables'
const hook = z.union([text(HOOK), commands(HOOK)], expecting(HOOK)).optional()

/** The keys of `hooks`. */
export const HOOKS = {
  before: hook.describe(
    'Run before the work. A command that exits with 75 says "not now": it is held and asked again, as whenever one of a folder fails; another failure ends the deployment.',
  ),
  verify: hook.describe(
    'Run right after the work, to make it effective and to prove it, such as a restart; one that fails makes it a failure, and brings back the release before where there is one: then they are run again with FERRYMAN_ROLLBACK=1.',
  ),
  after_success: hook.describe('Run when the work has succeeded; it stays a success, however they fare.'),
  after_failure: hook.describe('Run when the work has failed; it stays a failure, however they fare.'),
  timeout: measure('a number of seconds or a text like 10m', readSeconds).optional().meta({
    description: 'The limit for all hooks together that follow the work: seconds or a text like 10m.',
    default: DEFAULTS.hooks_timeout,
  }),
}

const TRIES = 'a number from 1 to 1000'
const STATUS = 'an HTTP status such as 200'
const PROBE = 'an address such as http://127.0.0.1:8080/health'

/** The keys of `health_check`. */
export const HEALTH_CHECK = {
  url: text(PROBE)
    .refine((given) => URL.canParse(given) && /^https?:$/.test(new URL(given).protocol), expecting(PROBE))
    .describe('What is asked, by GET; redirections are not followed.'),
  status: z
    .int(expecting(STATUS))
    .min(100, expecting(STATUS))
    .max(599, expecting(STATUS))
    .optional()
    .meta({ description: 'The answer that is right.', default: DEFAULTS.health_status }),
  tries: z
    .int(expecting(TRIES))
    .min(1, expecting(TRIES))
    .max(1000, expecting(TRIES))
    .optional()
    .meta({ description: 'How often it is asked.', default: DEFAULTS.health_tries }),
  interval: measure('a number of seconds or a text like 3s', readSeconds).optional().meta({
    description: 'From one try to the next: seconds or a text like 3s.',
    default: DEFAULTS.health_interval,
  }),
  timeout: measure('a number of seconds or a text like 5s', readSeconds).optional().meta({
    description: 'How long an answer may take: seconds or a text like 5s.',
    default: DEFAULTS.health_timeout,
  }),
}

const SOURCE = 'an address such as https://git.example.org/shop.git or git@example.org:shop.git, or a path'

/** The keys of `workspace` in its long form. */
export const WORKSPACE = {
  url: text(SOURCE)
    .refine((given) => REPOSITORY_SHAPE.test(given), expecting(SOURCE))
    .optional()
    .describe(
      'Where the repository is, if not at GitHub: an address without credentials in it, or a path. The token is shown to GitHub only.',
    ),
  submodules: toggle('Check out its submodules as well, over https and ssh only.').meta({ default: false }),
  lfs: toggle('Fetch the files that Git LFS keeps elsewhere; this machine needs git-lfs.').meta({
    default: false,
  }),
  ssh_key_file: text('a path')
    .optional()
    .describe(
      'A private key without a passphrase, such as a deploy key: it is fetched over ssh then, and commands find it in GIT_SSH_COMMAND.',
    ),
  known_hosts_file: text('a path')
    .optional()
    .describe('The host keys that are trusted, as ssh-keyscan prints them; without it those that ssh knows.'),
}

const WORKSPACE_FORMS = 'fresh, none, or a mapping with keys such as submodules and ssh_key_file'

/** What can be said of everything that is run: of an environment, and of each of its tasks. */
export const RECIPE = {
  workspace: z
    .union(
      [z.enum(['fresh', 'none']), z.strictObject(WORKSPACE, expecting(WORKSPACE_FORMS))],
      expecting(WORKSPACE_FORMS),
    )
    .optional()
    .meta({
      description:
        'Where it runs in a checkout of the commit: `fresh`, or a mapping that says more, gives each deployment its own and removes it afterwards; `folder` is then a path in it.',
      default: 'none',
    }),
  in_repository: inRepository,
  folder: text('a path')
    .optional()
    .describe(
      'Where the commands run: absolute, or relative to this file, or in the checkout where `workspace` makes one. For a playbook its own folder, if not said.',
    ),
  commands: commands('at least one command such as [git, fetch]')
    .optional()
    .describe(
      'What to do, in order, each a list of words, or a mapping with `run` and more; no shell reads them. Placeholders such as {sha} are filled.',
    ),
  deploy: text('a command such as "fab deploy:sha={sha}"')
    .optional()
    .describe('One command as a single text, split into words once; instead of `commands`.'),
  ansible_hosts: text('a path')
    .optional()
    .describe(
      'The Ansible inventory: absolute, or relative to `folder`, else to this file; or a list such as `web1,web2`.',
    ),
  ansible_playbook: text('a path')
    .optional()
    .describe(
      'The Ansible playbook to run instead of commands: absolute, or relative to `folder`, else to this file.',
    ),
  ansible: ansible
    .optional()
    .describe(
      'How the playbook is run. What an environment does not say holds as the repository says it, key by key.',
    ),
  heroku: z
    .strictObject(HEROKU, expecting('a mapping with app and api_key'))
    .optional()
    .describe(
      'Push the commit to Heroku, instead of commands. What an environment does not say holds as the repository says it, key by key.',
    ),
  env: z
    .record(
      z
        .string()
        .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, expecting('a variable name of letters, digits and _'))
        .refine((name) => !SET_BY_US.test(name), { error: 'is set by Ferryman itself; choose another name' }),
      z.union(
        [z.string(), z.number(), z.boolean(), z.strictObject({ file: text('a path') })],
        expecting('a text, a number, true, false or {file: path}'),
      ),
      expecting('a mapping such as {NODE_ENV: production}'),
    )
    .optional()
    .describe('Variables for the commands; ${NAME} and {file: path} keep secrets out of this file.'),
  run_as: user
    .optional()
    .describe(
      'The user of this machine that all commands and hooks run as, if they do not say it themselves; if not said, the one that runs Ferryman. See docs/recipes.md for what that needs.',
    ),
  timeout: measure('a number of seconds or a text like 30m', readSeconds).optional().meta({
    description: 'The limit for all commands together: seconds or a text like 30m.',
    default: DEFAULTS.timeout,
  }),
  silence_timeout: measure('a number of seconds or a text like 10m', readSeconds).optional().meta({
    description:
      'How long a command may print nothing before it is ended: seconds or a text like 10m. As long as `timeout`, it limits nothing.',
    default: DEFAULTS.silence_timeout,
  }),
  leave_processes: toggle(
    'Let live on what a command has left running when it succeeded; without it, only what took a session of its own.',
  ).meta({ default: DEFAULTS.leave_processes }),
  max_log_bytes: measure('a number of bytes or a text like 50MB or 10MiB', readBytes).optional().meta({
    description: 'The largest log; of a longer one its head and its tail are kept.',
    default: DEFAULTS.max_log_bytes,
  }),
  health_check: z
    .strictObject(HEALTH_CHECK, expecting('a mapping with url'))
    .optional()
    .describe('What has to answer when the work is done, and its `verify` hooks; else it is a failure.'),
  hooks: z
    .strictObject(HOOKS, expecting('a mapping with keys such as before and after_success'))
    .optional()
    .describe(
      'What is run around the work: commands, or all executables of a folder in the order of their names.',
    ),
}

const TASK_NAME = 'the name of a task: letters, digits, ".", "_", "-" and ":"'
const OURS = new Set(['deploy', ...Object.keys(ERRAND_TASKS)])

/** The keys that say what is run for other tasks than `deploy`. */
export const TASKS = {
  tasks: z
    .record(
      z
        .string()
        .regex(/^[A-Za-z0-9_][A-Za-z0-9._:-]{0,127}$/, expecting(TASK_NAME))
        .refine((name) => !OURS.has(name), { error: 'is a task of Ferryman itself; choose another name' }),
      z.strictObject(RECIPE, expecting('a mapping with keys such as commands')),
      expecting('a mapping of tasks such as {migrate: {commands: [[./migrate]]}}'),
    )
    .optional()
    .describe(
      'What deployments with another task than `deploy` run, by the name of the task; each its own commands or playbook, in the folder and with the variables and limits of its environment.',
    ),
  tasks_folder: text('a path')
    .optional()
    .describe(
      'A folder of executables: the one that is named after the task is run, also for `deploy` where there are no commands; pre_task, post_success and post_failure around it.',
    ),
  pre_task_blocks: toggle(
    'Let a `pre_task` that fails end the deployment; without it that is only logged.',
  ).meta({
    default: DEFAULTS.pre_task_blocks,
  }),
}
