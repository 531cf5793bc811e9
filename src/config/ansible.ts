import { z } from 'zod'

import { expecting, text } from './expecting.ts'

/** The part of the schema that says how a playbook is run: beside `ansible_hosts` and `ansible_playbook`. */

const TAG = 'a tag such as deploy: without commas, braces and spaces around it, not beginning with "-"'
const TAGS = 'a list of tags such as [deploy, config]'
const LIMIT = 'a host pattern such as web:!web3'
const VARIABLE = 'a text, a number, true, false, a list, a mapping or {file: path}'

const tags = z.array(text(TAG).regex(/^(?![-\s])[^,{}]+(?<!\s)$/, expecting(TAG)), expecting(TAGS)).optional()

/** Texts and what holds them; `{file: path}` is a mapping as well. */
export type VariableSetting =
  | string
  | number
  | boolean
  | readonly VariableSetting[]
  | { readonly [name: string]: VariableSetting }

const number = z.number().refine((given) => !Number.isInteger(given) || Number.isSafeInteger(given), {
  error: 'expected fewer digits; put it in quotes',
})
const variable: z.ZodType<VariableSetting> = z.lazy(() =>
  z.union(
    [z.string(), number, z.boolean(), z.array(variable), z.record(z.string(), variable)],
    expecting(VARIABLE),
  ),
)

const VARIABLES = 'a mapping such as {app_port: 8080}'
const variables = z
  .record(
    z
      .string()
      .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, expecting('the name of a variable: letters, digits and _'))
      .refine((name) => !/^ferryman(?:_|$)/i.test(name), {
        error: 'belongs to Ferryman; choose another name',
      }),
    variable,
    expecting(VARIABLES),
  )
  .optional()

/** Checked when references are filled, so editors are told no pattern. */
const file = (what: string, accepts: RegExp) =>
  text(what)
    .refine((given) => accepts.test(given), expecting(what))
    .optional()
const BASE = 'absolute, or relative like the playbook'

/** Ansible reads hosts from a file where any of several patterns begins with `@`. */
export const NO_FILE_OF_HOSTS = /^(?!\s)(?!(?:[\s\S]*[\s,:])?@)/

/** The keys of `ansible`. */
export const ANSIBLE = {
  limit: text(LIMIT)
    .regex(NO_FILE_OF_HOSTS, expecting(LIMIT))
    .optional()
    .describe(
      'The hosts of the inventory to work on: a host pattern, in which {environment} may stand. `all`: every one.',
    ),
  tags: tags.describe('Only what has one of these tags is run; an empty list: everything.'),
  skip_tags: tags.describe('What has one of these tags is left out; an empty list: nothing.'),
  extra_vars: variables.describe(
    'Variables for the playbook, never taken for templates; ${NAME} and {file: path} keep secrets out of this file.',
  ),
  vault_password_file: file('a path', /./).describe(
    `The file that holds the password of the vault: ${BASE}. It may be no program.`,
  ),
  requirements: file('a path that ends in .yml or .yaml', /\.ya?ml$/).describe(
    `The roles and collections to install before the playbook, once for each content of the file: ${BASE}.`,
  ),
  config: file('a path that ends in .cfg or .ini', /\.(?:cfg|ini)$/).describe(
    `The settings of Ansible: ${BASE}. Without it those that Ansible has built in, and no file that lies around.`,
  ),
}

/** Keys that people may expect here, and why they are refused. */
export const REFUSED: Readonly<Record<string, string>> = {
  check:
    'is refused: a dry run changes nothing, but GitHub, :current and the next environment would take it for what is live; `ferryman dry-run` makes one that nobody takes for a deployment',
}

/** How a playbook is run. */
export const ansible = z.strictObject(ANSIBLE, expecting('a mapping with keys such as tags and extra_vars'))
