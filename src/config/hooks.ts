import { resolve } from 'node:path'

import { NO_HOOKS, type HealthCheck, type Hook, type Hooks } from '../deployment/recipe.ts'
import { readCommandList } from './commands.ts'
import { DEFAULTS } from './defaults.ts'
import { placeholdersIn } from './placeholders.ts'
import type { EnvironmentEntry } from './schema.ts'
import { originIn, type Level, type WorkOptions } from './work.ts'

type Setting = NonNullable<NonNullable<EnvironmentEntry['hooks']>['before']>

/** What is run around the work; each key as the nearest level has it. */
export function readHooks(levels: readonly Level[], { directory, complain }: WorkOptions): Hooks {
  const given = <Key extends keyof NonNullable<EnvironmentEntry['hooks']>>(key: Key) =>
    levels.map(({ entry }) => entry.hooks?.[key]).find((value) => value !== undefined)
  const read = (key: 'before' | 'verify' | 'after_success' | 'after_failure'): readonly Hook[] => {
    const setting: Setting | undefined = given(key)
    if (setting === undefined) return []
    const level = levels.find(({ entry }) => entry.hooks?.[key] !== undefined)
    const path = [...(level?.path ?? originIn(levels, 'hooks')), 'hooks', key]
    if (typeof setting !== 'string')
      return readCommandList(setting, path, complain).map((command) => ({ command }))
    const [placeholder] = placeholdersIn(setting)
    if (placeholder !== undefined)
      complain(path, `{${placeholder}} is not filled here; write the path as it is`)
    return [{ folder: resolve(directory, setting) }]
  }
  if (!levels.some(({ entry }) => entry.hooks !== undefined)) return NO_HOOKS
  return {
    before: read('before'),
    verify: read('verify'),
    afterSuccess: read('after_success'),
    afterFailure: read('after_failure'),
    timeoutSeconds: given('timeout') ?? DEFAULTS.hooks_timeout,
  }
}

/** What has to answer when the work is done, as the nearest level has it. */
export function readHealthCheck(levels: readonly Level[]): HealthCheck | undefined {
  const given = levels.find(({ entry }) => entry.health_check !== undefined)?.entry.health_check
  if (given === undefined) return undefined
  const { url, status, tries, interval, timeout } = given
  return {
    url,
    status: status ?? DEFAULTS.health_status,
    tries: tries ?? DEFAULTS.health_tries,
    intervalSeconds: interval ?? DEFAULTS.health_interval,
    answerWithinSeconds: timeout ?? DEFAULTS.health_timeout,
  }
}
