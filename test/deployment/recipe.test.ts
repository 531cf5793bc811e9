import { expect, test } from 'vitest'

import { readRecipe } from '../../src/deployment/recipe.ts'
import { playbookRecipe, recipe } from '../support/samples.ts'

test('a recipe is read as it was stored', () => {
  const stored = recipe({ silenceSeconds: 5 })

  expect(readRecipe(JSON.stringify(stored))).toEqual(stored)
})

test('one that an earlier version stored has the limits that came since', () => {
  const { silenceSeconds: _, ...earlier } = recipe()

  expect(readRecipe(JSON.stringify(earlier))).toMatchObject({ silenceSeconds: 600 })
})

test('a playbook that an earlier version stored is run as Ansible does it by itself', () => {
  const { options: _, ...earlier } = playbookRecipe()

  expect(readRecipe(JSON.stringify(earlier))).toMatchObject({
    options: { tags: [], skipTags: [], extraVars: {} },
  })
})
