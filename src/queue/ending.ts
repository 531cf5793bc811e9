import type { Deployment } from '../deployment/deployment.ts'
import type { Change, Store } from '../store/store.ts'

/**
 * Ends a deployment as its work has ended; undefined where it had ended before. Somebody may have cancelled it; then it has
 * ended truthfully all the same.
 */
export async function moveToEnd(
  id: number,
  state: 'succeeded' | 'failed' | 'cancelled',
  change: Change,
  { move }: Pick<Store, 'move'>,
): Promise<Deployment | undefined> {
  if (state === 'cancelled') return move(id, 'cancelling', state, change)
  return (await move(id, 'running', state, change)) ?? move(id, 'cancelling', state, change)
}
