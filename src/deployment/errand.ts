/** Something that a deployment on GitHub asks for and that runs no recipe: it is done when it is accepted. */
export type Errand =
  | {
      readonly kind: 'lock'
      readonly reason: string
      /** When the lock ends by itself, in milliseconds since 1970. */
      readonly until: number | undefined
      /** When it was asked for. */
      readonly at: number
    }
  | {
      readonly kind: 'unlock'
      /** The number of the lock that is meant; undefined: the one that is there. */
      readonly lock: number | undefined
      /**
       * When it was asked for: a lock that was taken later is not meant. GitHub tells the second alone, so one that was taken
       * here within it is not, either: it may have been later.
       */
      readonly at: number
    }

/** The tasks that ask for errands. */
export const ERRAND_TASKS = { 'deploy:lock': 'lock', 'deploy:unlock': 'unlock' } as const satisfies Record<
  string,
  Errand['kind']
>

/** Which errand a task asks for; undefined: none. */
export const errandOf = (task: string): Errand['kind'] | undefined =>
  Object.hasOwn(ERRAND_TASKS, task) ? ERRAND_TASKS[task as keyof typeof ERRAND_TASKS] : undefined
