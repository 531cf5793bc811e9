import { describe, expect, test } from 'vitest'

import type { EnvironmentConfig } from '../../src/config/config.ts'
import { commitAsked } from '../../src/decide/asked.ts'
import { FerrymanError } from '../../src/errors.ts'
import { clientOf, shopAtGitHub } from '../support/doubles.ts'
import { environmentConfig } from '../support/samples.ts'

describe('the commit that is meant', () => {
  const shop = async (rights: 'all' | 'none' = 'all') => {
    const { github, sha } = await shopAtGitHub()
    const [tea, coffee] = github.addCommits('acme/shop', [{ message: 'Tea' }, { message: 'Coffee' }])
    github.setTag('acme/shop', 'v1', tea?.sha ?? '', 'The first')
    github.addToken('narrow', { type: 'classic', login: 'mona', scopes: ['repo_deployment'] })
    const client = clientOf(github, rights === 'all' ? undefined : 'narrow')
    const commit = async (ref: string | undefined, given: Partial<EnvironmentConfig> = {}) => {
      const facts = await client.repository('acme/shop')
      const environment = environmentConfig(given)
      return commitAsked(
        ref,
        { environment, facts },
        { github: () => client, store: { refFor: () => Promise.resolve(undefined) } },
      ).catch((thrown: unknown) => {
        if (thrown instanceof FerrymanError) return thrown.code
        throw thrown
      })
    }
    return { github, first: sha, tea: tea?.sha ?? '', coffee: coffee?.sha ?? '', commit }
  }

  test('is the head of the default branch, or of the branch of the environment', async () => {
    const { github, coffee, commit } = await shop()
    const [topic] = github.addCommits('acme/shop', [{ message: 'Milk' }], 'next')
    github.setTag('acme/shop', 'next', coffee)

    expect(await commit(undefined)).toEqual({ sha: coffee, ref: 'main', said: 'main' })
    expect(await commit(undefined, { branch: 'next' })).toEqual({
      sha: topic?.sha,
      ref: 'next',
      said: 'next',
    })
  })

  test('is what `default_ref` leads to where nothing is named, and only there', async () => {
    const { github, tea, coffee, commit } = await shop()
    github.addCommits('acme/shop', [{ message: 'Milk' }], 'next')
    const given = { branch: 'next', defaultRef: 'v1' }

    expect(await commit(undefined, given)).toEqual({ sha: tea, ref: 'v1', said: 'v1' })
    expect(await commit('main', given)).toMatchObject({ sha: coffee })
  })

  test('is what a tag or an id leads to; of an id the whole is kept', async () => {
    const { tea, commit } = await shop()
    const short = tea.slice(0, 9)

    expect(await commit('v1')).toEqual({ sha: tea, ref: 'v1', said: 'v1' })
    expect(await commit('refs/tags/v1')).toEqual({ sha: tea, ref: 'v1', said: 'refs/tags/v1' })
    expect(await commit(short)).toEqual({ sha: tea, ref: tea, said: short })
  })

  test('keeps its full name where that was said and a branch and a tag share the rest of it', async () => {
    const { github, first, tea, coffee, commit } = await shop()
    github.setBranch('acme/shop', 'v1', coffee)
    github.setBranch('acme/shop', 'next', first)

    expect(await commit('refs/heads/v1')).toEqual({
      sha: coffee,
      ref: 'refs/heads/v1',
      said: 'refs/heads/v1',
    })
    expect(await commit('heads/v1')).toMatchObject({ sha: coffee, ref: 'refs/heads/v1' })
    expect(await commit('tags/v1')).toMatchObject({ sha: tea, ref: 'refs/tags/v1' })
    expect(await commit('v1')).toBe('ref_ambiguous')
    expect(await commit('refs/heads/next')).toMatchObject({ sha: first, ref: 'next' })
  })

  test("is no commit of a fork's, and nothing that is not there", async () => {
    const { github, commit } = await shop()
    const [foreign] = github.pushToFork('acme/shop', 'mallory/shop', [{ message: 'For nothing' }])

    expect(await commit(foreign?.sha)).toBe('commit_foreign')
    expect(await commit(foreign?.sha.slice(0, 10))).toBe('commit_foreign')
    expect(await commit('nowhere')).toBe('ref_unknown')
    expect(await commit(':latest')).toBe('ref_wrong')
    expect(await commit(':previous')).toBe('nothing_deployed')
  })

  test('has to be named by its full id where the token may not look', async () => {
    const { tea, commit } = await shop('none')

    expect(await commit(tea)).toMatchObject({ sha: tea })
    expect(await commit('v1')).toBe('ref_unreadable')
    expect(await commit(undefined)).toBe('ref_unreadable')
  })
})
