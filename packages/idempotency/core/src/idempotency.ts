import { randomUUID } from 'node:crypto'
import {
  type Clock,
  checkFunction,
  checkKnown,
  crashPoint,
  type Delivery,
  type IncomingDelivery,
  invalidOption,
  type Middleware,
  type Outcome,
  systemClock,
  wholeNumber,
} from '@evt/core'
import { batched } from './batched.ts'
import { ClaimKeeper } from './claim-keeper.ts'
import type { Claim, Claimed, IdempotencyStore } from './idempotency-store.ts'
import { type MessageKey, messageKey } from './message-key.ts'

export interface IdempotencyOptions {
  readonly store: IdempotencyStore
  /** What stands for the message id, within consumer and event. Default: the message id. */
  readonly key?: ((delivery: IncomingDelivery) => string) | undefined
  /** How long a message that was handled is remembered: longer than any redelivery or replay. Default 24 h. */
  readonly ttlMs?: number | undefined
  /** How long a claim outlives its process. It is renewed while the handler runs. Default 30,000. */
  readonly leaseMs?: number | undefined
  /** What to do while the store is down. Default `retry`, which burns no attempt; `proceed` handles without protection. */
  readonly whenUnavailable?: 'retry' | 'proceed' | undefined
  /** Told of every delivery that was handled before. Must not throw. */
  readonly onDuplicate?: ((delivery: Delivery) => void) | undefined
  readonly clock?: Clock | undefined
}
export interface IdempotencyStats {
  /** Deliveries of messages that were done. */
  readonly duplicates: number
  /** Deliveries put off because another one was being handled. */
  readonly held: number
  /** Deliveries that found the store down. */
  readonly unavailable: number
  /** Messages handled whose claim could not be completed: it was lost, or the store was down. */
  readonly uncompleted: number
}
export type ClaimedByHand =
  | { readonly status: 'claimed'; readonly claim: Claim }
  | Exclude<Claimed, { readonly status: 'claimed' }>

/** The middleware, and the same steps by hand for work that is no delivery. */
export interface Idempotency extends Middleware {
  stats(): IdempotencyStats
  claim(consumer: string, key: MessageKey): Promise<ClaimedByHand>
  /** False where the claim was lost meanwhile. */
  complete(claim: Claim): Promise<boolean>
  release(claim: Claim): Promise<boolean>
}

const longestHeldRetryMs = 500
const unavailableRetryMs = 1_000
const completeAttempts = 3
const completeRetryMs = 100

/**
 * Handles a message once per consumer as long as its handler succeeds and the process lives: claim, handler, complete. A
 * crash between the last two, or a lost lease, runs it again: idempotent, not exactly once.
 */
export function idempotency(options: IdempotencyOptions): Idempotency {
  const known = ['store', 'key', 'ttlMs', 'leaseMs', 'whenUnavailable', 'onDuplicate', 'clock']
  checkKnown('idempotency', options, known)
  const { store, key: keyOf, whenUnavailable = 'retry', onDuplicate, clock = systemClock } = options
  checkFunction('store.claim', store?.claim)
  if (keyOf !== undefined) checkFunction('key', keyOf)
  const ttlMs = wholeNumber('ttlMs', options.ttlMs, { min: 1, default: 86_400_000 })
  const leaseMs = wholeNumber('leaseMs', options.leaseMs, { min: 100, default: 30_000 })
  if (whenUnavailable !== 'retry' && whenUnavailable !== 'proceed')
    throw invalidOption('whenUnavailable', "expected 'retry' or 'proceed'")
  const stats = { duplicates: 0, held: 0, unavailable: 0, uncompleted: 0 }
  const keeper = new ClaimKeeper(store, clock, leaseMs)
  const claiming = new Map<string, (key: MessageKey) => Promise<ClaimedByHand>>()

  const claim = (consumer: string, key: MessageKey): Promise<ClaimedByHand> => {
    let ask = claiming.get(consumer)
    if (ask === undefined) {
      ask = batched(async (keys) => {
        const owner = randomUUID()
        const answers = await store.claim(consumer, keys, { owner, leaseMs })
        return answers.map((answer, index): ClaimedByHand => {
          if (answer.status !== 'claimed') return answer
          return { status: 'claimed', claim: { consumer, key: keys[index]!, owner, fence: answer.fence } }
        })
      })
      claiming.set(consumer, ask)
    }
    return ask(key)
  }
  const complete = batched((claims: readonly Claim[]) => store.complete(claims, ttlMs))
  const release = batched((claims: readonly Claim[]) => store.release(claims))

  /** The effect is there: a store that fails now is asked again, and then the message is acknowledged all the same. */
  const settle = async (done: Claim): Promise<void> => {
    for (let attempt = 1; attempt <= completeAttempts; attempt += 1) {
      try {
        if (!(await complete(done))) stats.uncompleted += 1
        return
      } catch {
        if (attempt < completeAttempts)
          await new Promise<void>((resolve) => clock.startTimer(resolve, completeRetryMs * attempt))
      }
    }
    stats.uncompleted += 1
  }
  /** Where this fails the claim ends with its lease. */
  const giveBack = (claimed: Claim) => release(claimed).catch(() => false)

  const handle = async (delivery: IncomingDelivery, claimed: Claim, next: () => Promise<Outcome>): Promise<Outcome> => {
    crashPoint('idempotency.claimed')
    delivery.fence = claimed.fence
    keeper.hold(claimed)
    try {
      const outcome = await next()
      crashPoint('idempotency.handled')
      // After a reject too: a replay of the dead letter must not be taken for a duplicate.
      await (outcome.status === 'ack' ? settle(claimed) : giveBack(claimed))
      crashPoint('idempotency.settled')
      return outcome
    } catch (thrown) {
      await giveBack(claimed)
      throw thrown
    } finally {
      keeper.letGo(claimed)
    }
  }
  return {
    name: 'idempotency',
    slot: 'idempotency',
    stats: () => ({ ...stats }),
    claim,
    complete,
    release,
    async consume(delivery, next) {
      const key = messageKey(delivery, keyOf?.(delivery))
      let answer: ClaimedByHand
      try {
        answer = await claim(delivery.consumer, key)
      } catch (error) {
        stats.unavailable += 1
        if (whenUnavailable === 'proceed') return next()
        return { status: 'retry', afterMs: unavailableRetryMs, error, counted: false }
      }
      if (answer.status === 'claimed') return handle(delivery, answer.claim, next)
      if (answer.status === 'done') {
        stats.duplicates += 1
        onDuplicate?.(delivery)
        return { status: 'ack' }
      }
      stats.held += 1
      const afterMs = Math.max(1, Math.min(longestHeldRetryMs, answer.retryAfterMs))
      const error = new Error('another delivery of this message is being handled')
      return { status: 'retry', afterMs, error, counted: false }
    },
  }
}
