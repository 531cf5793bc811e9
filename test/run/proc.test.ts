import { expect, test } from 'vitest'

import { until } from '../../src/run/proc.ts'

test('what is waited for in vain is given up in time, however long each look takes', async () => {
  let looks = 0
  const neverHolds = (): boolean => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)
    looks += 1
    return false
  }

  const held = await until(neverHolds, 200, 10)

  expect(held).toBe(false)
  expect(looks).toBeLessThanOrEqual(6) // 20 ms each, and as long for others
})
