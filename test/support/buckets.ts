import { createEmulator } from 'emulate'
import { onTestFinished } from 'vitest'

import { freePort } from './needs.ts'

/** A store that speaks S3, with one bucket, for one test; answers its address. */
export async function storeForTest(bucket: string): Promise<string> {
  const port = await freePort()
  const seed = { aws: { s3: { buckets: [{ name: bucket }] } } }
  const emulator = await createEmulator({ service: 'aws', port, seed })
  onTestFinished(() => emulator.close())
  return `http://127.0.0.1:${port}`
}
