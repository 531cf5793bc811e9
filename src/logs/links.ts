import { createHmac, timingSafeEqual } from 'node:crypto'

import type { Deployment } from '../deployment/deployment.ts'

const LIFETIME_MS = 30 * 24 * 60 * 60 * 1000

export interface LogLinks {
  /**
   * The address of a deployment's log for a report, or undefined without a public URL. Whoever sees the
   * report can open it for 30 days, but only where those are people who may: a private repository, or public logs.
   */
  forReport(deployment: Pick<Deployment, 'id' | 'isPrivate' | 'publicLogs'>): string | undefined
  /** The address alone; it opens with a token. */
  plain(deploymentId: number): string
  check(deploymentId: number, link: { expires: string; signature: string }): 'valid' | 'expired' | 'forged'
}

/** Makes and checks links that carry their own permission: an HMAC-SHA256 over the deployment and the expiry. */
export function createLogLinks(key: string, publicUrl: string | undefined, clock: () => number): LogLinks {
  const sign = (deploymentId: number, expires: string): string =>
    createHmac('sha256', key).update(`log ${deploymentId} ${expires}`).digest('base64url')
  const path = (deploymentId: number): string => `${publicUrl ?? ''}/deployments/${deploymentId}/log`
  return {
    plain: path,
    forReport({ id, isPrivate, publicLogs }) {
      if (publicUrl === undefined) return undefined
      if (!isPrivate && !publicLogs) return path(id)
      const expires = String(Math.floor((clock() + LIFETIME_MS) / 1000))
      return `${path(id)}?follow=1&expires=${expires}&signature=${sign(id, expires)}`
    },
    check(deploymentId, { expires, signature }) {
      const right = Buffer.from(sign(deploymentId, expires))
      const given = Buffer.from(signature)
      if (right.length !== given.length || !timingSafeEqual(right, given)) return 'forged'
      return Number(expires) * 1000 > clock() ? 'valid' : 'expired'
    },
  }
}
