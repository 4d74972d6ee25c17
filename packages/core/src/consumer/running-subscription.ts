import { combineHealth, type Health, partHealth, reasonOf } from '../bus/health.ts'
import { checkKnown, wholeNumber } from '../options.ts'
import type { PartHealth } from '../outbox.ts'
import { type Gate, openGate } from './gate.ts'
import type { Pump } from './pump.ts'
import type { Setting } from './settings.ts'
import type { SubscriptionStats } from './stats.ts'

/** A started subscription. */
export interface Subscription extends AsyncDisposable {
  readonly consumer: string
  readonly events: readonly string[]
  readonly state: 'running' | 'paused' | 'closing' | 'closed'
  /** What it runs with and where each value came from. */
  readonly settings: Readonly<Record<string, Setting>>
  /** Stops reading and starting; what is fetched stays leased. */
  pause(): void
  resume(): void
  stats(): Readonly<SubscriptionStats>
  health(): Health
  close(options?: { readonly deadlineMs?: number | undefined }): Promise<void>
}

interface RunningParts {
  readonly consumer: string
  readonly events: readonly string[]
  readonly settings: Readonly<Record<string, Setting>>
  readonly pumps: readonly Pump[]
  readonly stats: SubscriptionStats
  readonly gate: Gate
  readonly onClosed: () => void
}

const defaultDeadlineMs = 10_000

export function runningSubscription(parts: RunningParts): Subscription {
  const { pumps, stats } = parts
  let state: Subscription['state'] = 'running'
  let closing: Promise<void> | undefined
  const close = async (deadlineMs: number) => {
    state = 'closing'
    try {
      const closed = await Promise.allSettled(pumps.map((pump) => pump.close(deadlineMs)))
      const failed = closed.find((result) => result.status === 'rejected')
      if (failed !== undefined) throw failed.reason
    } finally {
      state = 'closed'
      parts.onClosed()
    }
  }
  const subscription: Subscription = {
    consumer: parts.consumer,
    events: parts.events,
    settings: parts.settings,
    get state() {
      return state
    },
    pause() {
      if (state !== 'running') return
      state = 'paused'
      for (const pump of pumps) pump.pause()
    },
    resume() {
      if (state !== 'paused') return
      state = 'running'
      for (const pump of pumps) pump.resume()
    },
    stats() {
      stats.inFlight = sum(pumps, (pump) => pump.inFlight)
      stats.waiting = sum(pumps, (pump) => pump.waiting)
      stats.held = sum(pumps, (pump) => pump.held)
      return { ...stats }
    },
    health: () => combineHealth([subscriptionHealth(parts, state)]),
    close: (options) => {
      checkKnown('close', options ?? {}, ['deadlineMs'])
      closing ??= close(wholeNumber('deadlineMs', options?.deadlineMs, { min: 0, default: defaultDeadlineMs }))
      return closing
    },
    [Symbol.asyncDispose]: () => subscription.close(),
  }
  return subscription
}

function subscriptionHealth(parts: RunningParts, state: Subscription['state']): PartHealth {
  const name = parts.consumer
  if (state === 'closed') return partHealth(name, 'unhealthy', 'it is closed')
  if (state === 'paused') return partHealth(name, 'degraded', 'it is paused')
  const failing = parts.pumps
    .map((pump) => reasonOf(pump.readFailing) ?? reasonOf(pump.settler.failing))
    .find((reason) => reason !== undefined)
  if (failing !== undefined) return partHealth(name, 'unhealthy', failing)
  const hindered = parts.pumps.map((pump) => reasonOf(pump.hindrance.error)).find((reason) => reason !== undefined)
  if (hindered !== undefined) return partHealth(name, 'degraded', hindered)
  const overdue = sum(parts.pumps, (pump) => pump.overdue)
  if (overdue > 0) return partHealth(name, 'degraded', `${overdue} handlers run past their timeout`)
  return partHealth(name, 'degraded', parts.gate === openGate ? undefined : parts.gate.reason)
}

function sum(pumps: readonly Pump[], count: (pump: Pump) => number): number {
  return pumps.reduce((total, pump) => total + count(pump), 0)
}
