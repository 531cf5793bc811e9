import { expect, test } from 'vitest'

import { usersIn } from '../../src/config/run-as.ts'
import { load, GITHUB, problemsOfShop, shop } from './written.ts'

test('commands, hooks and tasks say it, and what is nearer wins', () => {
  const { recipe, tasks } = shop(
    `run_as: shop
commands: [[id], {run: [id], run_as: root}]
hooks: {before: [{run: [id], run_as: www-data}]}
tasks: {migrate: {commands: [[id]]}, clear: {commands: [[id]], run_as: cache}}`,
  )

  expect(recipe).toMatchObject({ runAs: 'shop', commands: [['id'], { words: ['id'], runAs: 'root' }] })
  expect([...usersIn(recipe)]).toEqual(['shop', 'root', 'www-data'])
  expect(tasks.get('migrate')?.runAs).toBe('shop')
  expect(tasks.get('clear')?.runAs).toBe('cache')
})

test('an environment says it for itself', () => {
  const entry =
    '{folder: /srv, commands: [[id]], environments: {staging: {lane: a}, live: {run_as: shop, lane: a}}}'
  const environments = load(`${GITHUB}repositories: {acme/shop: ${entry}}`).repositories.get(
    'acme/shop',
  )?.environments

  expect(environments?.get('live')?.recipe.runAs).toBe('shop')
  expect(environments?.get('staging')?.recipe.runAs).toBeUndefined()
})

const USER = 'expected the name of a user such as shop'

test.each([
  ['run_as: 1000\ncommands: [[id]]', `run_as: ${USER}, got 1000`],
  ['run_as: "#0"\ncommands: [[id]]', `run_as: ${USER}, got "#0"`],
  ['run_as: --help\ncommands: [[id]]', `run_as: ${USER}, got "--help"`],
  ['run_as: "a b"\ncommands: [[id]]', `run_as: ${USER}, got "a b"`],
  [
    'run_as: shop\nansible_hosts: a\nansible_playbook: b',
    'run_as: has no effect on a playbook; say become_user in it, or run_as of single hooks',
  ],
  [
    'workspace: fresh\ncommands: [{run: [id], run_as: shop}]',
    'run_as: cannot stand beside `workspace`: the checkout is in data_dir, which no other user may enter; name a folder of that user, or `releases`',
  ],
])('%j is refused', (lines, says) => {
  expect(problemsOfShop(lines).join('\n')).toContain(`repositories.acme/shop.${says}`)
})

test('the commands of a release may, since others may enter it', () => {
  const entry = '{releases: {path: /srv/shop}, run_as: shop, commands: [[id]]}'
  const environments = load(`${GITHUB}repositories: {acme/shop: ${entry}}`).repositories.get(
    'acme/shop',
  )?.environments

  expect(environments?.get('production')?.recipe.runAs).toBe('shop')
})

test('hooks around a playbook may run as somebody', () => {
  const { recipe } = shop(
    'ansible_hosts: a\nansible_playbook: b\nhooks: {before: [{run: [id], run_as: shop}]}',
  )

  expect([...usersIn(recipe)]).toEqual(['shop'])
})
