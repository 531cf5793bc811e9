import { GitHubError } from '../github/github.ts'

/** GitHub says nowhere how long the address in a status may be. Those of a store that are signed for a role are longer. */
const SURELY_FITS = 1_000

/** Writes a status with its link; without it, where GitHub refuses the status and it may be for the length of that. */
export async function withLinkThatFits(
  link: string | undefined,
  write: (link: string | undefined) => Promise<void>,
): Promise<void> {
  try {
    await write(link)
  } catch (thrown) {
    const mayBeTooLong = link !== undefined && link.length > SURELY_FITS
    if (!mayBeTooLong || !(thrown instanceof GitHubError) || thrown.status !== 422) throw thrown
    await write(undefined)
  }
}
