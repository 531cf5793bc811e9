import { readFileSync } from 'node:fs'

import { Ajv, type ValidateFunction } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'

import type { Exchange } from '../../src/demo/github-double.ts'

/** Says what in an exchange GitHub's own description does not allow; nothing where all is well. */
export type OpenApiCheck = (exchange: Exchange) => string[]

type Json = Readonly<Record<string, unknown>>

interface Operation {
  readonly parameters: readonly Json[]
  readonly requestBody?: {
    readonly required?: boolean
    readonly content: Readonly<Record<string, { readonly schema: Json }>>
  }
  readonly responses: Readonly<Record<string, Json>>
}

interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: Readonly<Record<string, Readonly<Record<string, Json>>>>
}

/** Statuses that GitHub gives everywhere and describes almost nowhere. */
const EVERYWHERE = ['301', '307', '400', '401', '403', '404', '422', '429']

// GitHub writes "" where there is no URL, so that `uri` cannot be checked.
const UNCHECKED = { uri: true, 'uri-template': true, int64: true, int32: true, timestamp: true } as const

/** Reads GitHub's OpenAPI description; made once, used for every exchange. */
export function createOpenApiCheck(): OpenApiCheck {
  const description = withoutNullable(fixture('subset.json')) as Description
  const ajv = new Ajv({ strict: false, allErrors: true, formats: UNCHECKED, coerceTypes: false })
  formats.default(ajv, ['date-time', 'date', 'email'])
  ajv.addSchema({ ...description, $id: 'github' })
  const compiled = new Map<string, ValidateFunction>()

  const wrong = (pointer: string, value: unknown, what: string): string[] => {
    const validate = compiled.get(pointer) ?? ajv.compile({ $ref: `github#${pointer}` })
    compiled.set(pointer, validate)
    return validate(value)
      ? []
      : (validate.errors ?? []).map(({ instancePath, message }) => `${what}${instancePath} ${message}`)
  }

  return (exchange) => {
    if (exchange.isScripted || exchange.answer === undefined) return []
    const found = findOperation(description, exchange)
    if (found === undefined) return [`GitHub has no ${exchange.method} ${exchange.path} in this description`]
    const { operation, pointer } = found
    const wasTaken = exchange.answer.status < 400
    const place = `${exchange.method} ${exchange.path}:`
    return [
      ...(wasTaken ? wrongRequest(operation, pointer, exchange, wrong) : []),
      ...wrongQuery(description, operation, exchange),
      ...wrongAnswer(description, operation, pointer, exchange.answer, wrong),
    ].map((complaint) => `${place} ${complaint}`)
  }
}

/** The same for what hooks are sent. */
export function createWebhookCheck(): (event: string, payload: unknown) => string[] {
  const description = fixture('webhooks.json') as { readonly webhooks: Json }
  const ajv = new Ajv2020({ strict: false, allErrors: true, formats: UNCHECKED })
  formats.default(ajv, ['date-time', 'date', 'email'])
  ajv.addSchema({ ...description, $id: 'webhooks' })
  return (event, payload) => {
    const action: unknown = Reflect.get(Object(payload), 'action')
    const name = [event, ...(typeof action === 'string' ? [action] : [])].join('-').replaceAll('_', '-')
    if (!(name in description.webhooks)) return [`GitHub has no event ${name} in this description`]
    const validate = ajv.compile({ $ref: `webhooks#/webhooks/${name}` })
    return validate(payload)
      ? []
      : (validate.errors ?? []).map((error) => `${error.instancePath} ${error.message}`)
  }
}

type Wrong = (pointer: string, value: unknown, what: string) => string[]

function wrongRequest(
  { requestBody }: Operation,
  pointer: string,
  { body }: Exchange,
  wrong: Wrong,
): string[] {
  const schema = requestBody?.content['application/json']?.schema
  if (schema === undefined) return body === undefined ? [] : ['the request has a body']
  if (body === undefined && requestBody?.required === false) return []
  // The description forbids no unknown keys; a misspelt one would be silently without effect.
  const known = propertiesOf(schema)
  const unknown = Object.keys(Object(body) as object).filter((key) => !known.includes(key))
  return [
    ...wrong(`${pointer}/requestBody/content/application~1json/schema`, body, 'request'),
    ...unknown.map((key) => `request/${key} is not known to GitHub`),
  ]
}

const propertiesOf = ({ properties, anyOf }: Json): string[] =>
  properties === undefined
    ? ((anyOf ?? []) as readonly Json[]).flatMap(propertiesOf)
    : Object.keys(properties as Json)

function wrongQuery(description: Description, { parameters }: Operation, { query }: Exchange): string[] {
  const known = parameters
    .map((parameter) => dereferenced(description, parameter))
    .filter((parameter) => parameter['in'] === 'query')
    .map((parameter) => parameter['name'])
  return Object.keys(query)
    .filter((name) => !known.includes(name))
    .map((name) => `the query parameter ${name} is not known to GitHub`)
}

function wrongAnswer(
  description: Description,
  { responses }: Operation,
  pointer: string,
  { status, headers, body }: NonNullable<Exchange['answer']>,
  wrong: Wrong,
): string[] {
  const key = String(status)
  const response = responses[key]
  if (response === undefined)
    return EVERYWHERE.includes(key)
      ? wrong('/components/schemas/basic-error', body, 'answer')
      : status === 304
        ? []
        : [`the status ${status} is not described`]
  const content = dereferenced(description, response)['content'] as Json | undefined
  if (content === undefined)
    return status === 409 || body === undefined ? [] : [`the answer ${status} has a body`]
  const media = Object.keys(content).find((one) => one === 'application/json')
  if (media === undefined) return [`the answer ${status} is not described as JSON`]
  if (body === undefined) return [`the answer ${status} has no body`]
  const reference = response['$ref']
  const at = typeof reference === 'string' ? reference.slice(1) : `${pointer}/responses/${key}`
  const hasAddress = Reflect.get(Object(body), 'url') !== undefined // a token that was made has none
  const isLost = status === 201 && hasAddress && headers?.['location'] === undefined
  const missing = isLost ? ['the answer has no Location'] : []
  return [...missing, ...wrong(`${at}/content/application~1json/schema`, body, 'answer')]
}

const dereferenced = ({ components }: Description, value: Json): Json => {
  const [, , kind, name] = typeof value['$ref'] === 'string' ? value['$ref'].split('/') : []
  return kind === undefined || name === undefined ? value : (components[kind]?.[name] ?? value)
}

/** The operation of the most specific path that fits. */
function findOperation({ paths }: Description, { method, path: asked }: Exchange) {
  const path = asked.replace(/^\/repositories\/\d+/, '/repos/of/that-number')
  const fitting = Object.keys(paths).filter((template) => patternOf(template).test(path))
  const byFixedParts = fitting.toSorted((a, b) => fixedParts(b) - fixedParts(a))
  for (const template of byFixedParts) {
    const operation = paths[template]?.[method.toLowerCase()]
    const segment = encodeURIComponent(template.replaceAll('~', '~0').replaceAll('/', '~1'))
    if (operation !== undefined) return { operation, pointer: `/paths/${segment}/${method.toLowerCase()}` }
  }
  return undefined
}

const MANY_SEGMENTS = ['ref', 'branch', 'sha', 'commit_sha', 'basehead']
const patternOf = (template: string): RegExp =>
  new RegExp(
    `^${template.replaceAll(/\{(\w+)\}/g, (_, name: string) => (MANY_SEGMENTS.includes(name) ? '.+' : '[^/]+'))}$`,
  )
const fixedParts = (template: string): number =>
  template.split('/').filter((part) => !part.startsWith('{')).length

const fixture = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../fixtures/github-openapi/${name}`, import.meta.url), 'utf8'))

/** OpenAPI 3.0 says `nullable`, which JSON Schema does not know. */
function withoutNullable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNullable)
  if (typeof value !== 'object' || value === null) return value
  const { nullable, ...rest } = value as { nullable?: unknown }
  const inner = Object.fromEntries(Object.entries(rest).map(([key, one]) => [key, withoutNullable(one)]))
  return nullable === true ? { anyOf: [inner, { type: 'null' }] } : inner
}
