import type { Deployment } from '../../src/deployment/deployment.ts'
import type { Gate, Store } from '../../src/store/store.ts'

/** No gate stands in the way. */
export const OPEN: Gate = {
  wanted: () => ({ after: undefined, approval: false }),
  judge: () => undefined,
  approver: () => undefined,
}

/** Claims what is next where no gate stands in the way. */
export const claimFrom = async (
  store: Store,
  options: Omit<Parameters<Store['claim']>[0], 'gate'>,
): Promise<Deployment | undefined> => (await store.claim({ ...options, gate: OPEN })).deployment
