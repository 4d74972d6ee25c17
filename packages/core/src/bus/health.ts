import { describeThrown } from '../errors.ts'
import type { PartHealth } from '../outbox.ts'

/** The state of a whole and of its parts, judged from progress. */
export interface Health {
  readonly status: PartHealth['status']
  readonly parts: readonly PartHealth[]
}

/** As bad as the worst part. */
export function combineHealth(parts: readonly PartHealth[]): Health {
  const worst = parts.some((part) => part.status === 'unhealthy')
    ? 'unhealthy'
    : parts.some((part) => part.status === 'degraded')
      ? 'degraded'
      : 'healthy'
  return { status: worst, parts }
}

/** A part that is healthy unless there is a reason why not. */
export function partHealth(name: string, status: 'degraded' | 'unhealthy', reason: string | undefined): PartHealth {
  return reason === undefined ? { name, status: 'healthy' } : { name, status, reason: reason.slice(0, 500) }
}

export function reasonOf(error: unknown): string | undefined {
  if (error === undefined) return undefined
  return describeThrown(error)
}

/** A part that cannot even be asked. */
export function unhealthy(name: string, error: unknown): PartHealth {
  return partHealth(name, 'unhealthy', describeThrown(error))
}
