import { readName } from '../deployment/deployment.ts'
import { problem } from '../errors.ts'
import { askForJson, type ServerChoice } from './client.ts'

/** The id of the deployment that a person means, by its name or its id; throws where the words are neither. */
export async function deploymentId(given: string, server: ServerChoice): Promise<string> {
  if (/^\d{1,15}$/.test(given)) return given
  if (readName(given) === undefined)
    throw problem('request_wrong', {
      list: 'the name of a deployment, such as acme/shop/production#12, or its id',
    })
  const path = `/api/deployments?${new URLSearchParams({ name: given }).toString()}`
  const { deployments } = (await askForJson(server, { method: 'GET', path })) as {
    deployments: { id: number }[]
  }
  const [found] = deployments
  if (found === undefined) throw problem('deployment_unknown', { id: given })
  return String(found.id)
}
