import { problem } from '../errors.ts'
import { runDeploy, type DeployOptions } from './run-deploy.ts'

interface RollbackOptions extends Omit<DeployOptions, 'task' | 'pin'> {
  /** The number of a deployment. */
  readonly to: string | undefined
}

export async function runRollback({ to, words, ...options }: RollbackOptions): Promise<number> {
  if (words.length === 0) throw problem('request_wrong', { list: 'the repository, such as acme/shop' })
  const [, number] = /^#?(\d{1,15})$/.exec(to ?? '') ?? []
  if (to !== undefined && number === undefined)
    throw problem('request_wrong', { list: '--to (the number of a deployment, such as 11)' })
  const ref = number === undefined ? ':previous' : `#${number}`
  return runDeploy({ ...options, words: [...words, ref], task: undefined, pin: true })
}
