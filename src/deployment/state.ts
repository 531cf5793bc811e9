/** The life of a deployment. A state with no moves is final; *why* it got there is a reason beside it. */
export const MOVES = {
  // From here without a lane: `failed` never ran, and `succeeded` is an errand, done when it is accepted.
  queued: ['running', 'cancelled', 'failed', 'succeeded'],
  // Back in line: a hook has said that the work may not begin yet.
  running: ['succeeded', 'failed', 'cancelling', 'queued'],
  cancelling: ['cancelled', 'succeeded', 'failed'], // the last command may end before the signal lands
  succeeded: [],
  failed: [],
  cancelled: [],
} as const satisfies Record<string, readonly string[]>

export type State = keyof typeof MOVES
export type Next<S extends State> = (typeof MOVES)[S][number]
export type FinalState = { [S in State]: (typeof MOVES)[S] extends readonly [] ? S : never }[State]

/** Whether a deployment in this state will never move again. */
export const isFinal = (state: State): state is FinalState => MOVES[state].length === 0

/** Whether the one move is drawn in the table above. */
export const canMove = (from: State, to: State): boolean => (MOVES[from] as readonly State[]).includes(to)
