import { writeFileSync } from 'node:fs'
import { z } from 'zod'

import { configSchema } from './schema.ts'

/** The JSON Schema that editors use, as the text of config.schema.json. */
export function jsonSchemaText(): string {
  const schema = z.toJSONSchema(configSchema, {
    io: 'input',
    target: 'draft-7',
    // zod leaves out the default of what it converts.
    override({ zodSchema, jsonSchema }) {
      const given = z.globalRegistry.get(zodSchema)?.['default']
      if (given !== undefined) jsonSchema['default'] = given
    },
  })
  return `${JSON.stringify(withFreeKeys(schema), undefined, 2)}\n`
}

const FREE_KEY = '^x-[^/]*$'

/** Lets keys that begin with `x-` stand in every mapping, as the loader does. */
function withFreeKeys(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withFreeKeys)
  if (typeof schema !== 'object' || schema === null) return schema
  const inner = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, withFreeKeys(value)]))
  if (inner['additionalProperties'] === undefined) return inner
  const { propertyNames } = inner
  const names =
    propertyNames === undefined ? {} : { propertyNames: { anyOf: [propertyNames, { pattern: FREE_KEY }] } }
  return { ...inner, ...names, patternProperties: { [FREE_KEY]: {} } }
}

if (process.argv[1] === import.meta.filename)
  writeFileSync(new URL('../../config.schema.json', import.meta.url), jsonSchemaText())
