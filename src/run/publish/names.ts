import { nameOf, type Deployment } from '../../deployment/deployment.ts'

type Named = Pick<Deployment, 'repository' | 'environment' | 'number'>

const MOST_CHARACTERS = 200

/** `acme-shop-production-12.log`: what a file is called that holds the log of a deployment. */
export const fileOf = ({ repository, environment, number }: Named): string =>
  `${plain(`${repository}-${environment}`.replaceAll('/', '-')).slice(0, MOST_CHARACTERS)}-${number}.log`

/** `acme/shop/production/12-RANDOM.log`: the key of its object; nobody guesses it who does not know the random word. */
export const keyOf = ({ repository, environment, number }: Named, random: string): string =>
  [...`${repository}/${environment}`.split('/').map((part) => plain(part)), `${number}-${random}.log`].join(
    '/',
  )

/** `acme/shop/production#12: failed`. */
export const titleOf = (deployment: Named, state: string): string =>
  `${nameOf(deployment).slice(0, MOST_CHARACTERS)}: ${state}`.toWellFormed()

/** Nothing in it leads to another folder, or has to be escaped. */
function plain(text: string): string {
  const safe = text.replaceAll(/[^A-Za-z0-9._-]+/g, '-')
  return /^\.{0,2}$/.test(safe) ? '-' : safe
}
