import { z } from 'zod'

import { IGNORED, type IgnoredReason } from '../deployment/reasons.ts'
import type { Ignored, Reading, Signal } from '../deployment/signal.ts'
import { problem } from '../errors.ts'

/**
 * What a verified delivery says. Pure. Throws `body_wrong_shape` when a field that we need is missing or of
 * another kind; fields that we do not need are not looked at.
 */
export function readSignal(event: string, body: unknown): Reading {
  const { action } = read(Envelope, event, body)
  if (event === 'ping') return ignored('ping')
  if (event === 'deployment_status') return ignored('deployment_status_noted')
  if (event !== 'deployment') return ignored('event_not_used', `${IGNORED.event_not_used} (${event})`)
  if (action !== undefined && action !== 'created')
    return ignored('action_not_used', `${IGNORED.action_not_used} (${action})`)
  return { signal: signalOf(read(DeploymentEvent, event, body)) }
}

const ignored = (reason: IgnoredReason, detail: string = IGNORED[reason]): Ignored => ({
  ignored: reason,
  detail,
})

/** The action of any event, for the record. */
export const actionOf = (body: unknown): string | undefined =>
  Envelope.safeParse(body).data?.action ?? undefined

// PostgreSQL keeps no NUL in text, and no process can be handed one.
const text = (most: number) =>
  z
    .string()
    .max(most)
    .refine((value) => !value.includes('\0'), 'must not hold a NUL character')
const name = (most: number) => text(most).min(1)

const Envelope = z.object({ action: text(100).nullish() })

const Account = z.object({
  login: name(100),
  avatar_url: text(2_000).nullish(),
  type: text(50).nullish(),
})

const DeploymentEvent = z.object({
  deployment: z.object({
    id: z.int().positive(),
    sha: z
      .string()
      .regex(/^([0-9a-f]{40}|[0-9a-f]{64})$/, 'must be a full commit id of 40 or 64 hexadecimal digits'),
    ref: name(1_000),
    task: name(1_000),
    environment: name(1_000),
    description: text(100_000).nullish(),
    payload: z.unknown().optional(),
    url: text(2_000).nullish(),
    creator: Account.nullish(),
  }),
  repository: z.object({
    id: z.int().positive(),
    full_name: z
      .string()
      .max(300)
      .regex(/^[\w.-]+\/[\w.-]+$/, 'must be owner/name'),
    private: z.boolean(),
  }),
  sender: Account.nullish(),
  workflow_run: z.unknown().optional(),
})

function signalOf({ deployment, repository, sender, workflow_run }: z.infer<typeof DeploymentEvent>): Signal {
  const creator = deployment.creator ?? sender ?? undefined // GitHub sends null for a deleted account
  const payload = payloadOf(deployment.payload)
  return {
    kind: 'deployment',
    repository: { githubId: repository.id, name: repository.full_name, isPrivate: repository.private },
    githubId: deployment.id,
    sha: deployment.sha,
    ref: deployment.ref,
    task: deployment.task,
    environment: deployment.environment,
    description: deployment.description ?? '',
    payload: textOf(payload),
    actor: personIn(payload) ?? creator?.login ?? 'ghost',
    creator: creator?.login ?? 'ghost',
    creatorAvatar: creator?.avatar_url ?? '',
    apiUrl: deployment.url ?? '',
    byActions: workflow_run !== null && workflow_run !== undefined,
  }
}

/** As JSON text; throws `body_wrong_shape` for one that is nested deeper than can be written. */
function textOf(payload: unknown): string {
  try {
    return JSON.stringify(payload)
  } catch (cause) {
    throw problem(
      'body_wrong_shape',
      { event: 'deployment', list: 'deployment.payload: is nested too deeply' },
      cause,
    )
  }
}

/** Callers send an object, JSON as text, other text, or nothing; GitHub hands on what it was given. */
function payloadOf(given: unknown): unknown {
  if (given === undefined || given === null || given === '') return {}
  if (typeof given !== 'string') return given
  try {
    return JSON.parse(given) as unknown
  } catch {
    return given
  }
}

// A robot makes the deployment and names the person in the payload, as the Crowdcrafting robot did.
const Person = z.object({
  deploy_user: z.string().regex(/^[A-Za-z0-9](?:[A-Za-z0-9-_]{0,98}[A-Za-z0-9])?$/),
})
const personIn = (payload: unknown): string | undefined => Person.safeParse(payload).data?.deploy_user

function read<Shape extends z.ZodType>(shape: Shape, event: string, body: unknown): z.infer<Shape> {
  const { success, data, error } = shape.safeParse(body)
  if (success) return data
  const list = error.issues
    .map(({ path, message }) => `${path.join('.') || 'the body'}: ${message}`)
    .join('; ')
  throw problem('body_wrong_shape', { event, list })
}
