import { crashPoint, type Refusal, type Settlement, type TransportDelivery } from '@evt/core'
import type { Append, OwnTopic } from './append.ts'
import type { NewRecord } from './client.ts'
import { cutLetter, letterRecord } from './dead-letters.ts'
import type { Receipt } from './deliveries.ts'
import { unavailable } from './errors.ts'
import { own, writeKafkaHeaders } from './headers.ts'
import type { Item } from './progress.ts'

export interface SettlingParts {
  readonly consumer: string
  /** Whether delayed retries are kept in memory, because nobody else would read them. */
  readonly delaysInMemory: boolean
  append(kind: OwnTopic, records: readonly NewRecord[]): ReturnType<Append>
  commit(): Promise<void>
  /** Where a message was read, for an operator. */
  placeOf(item: Item): string
  delay(item: Item, afterMs: number): void
  putBack(items: readonly Item[]): void
}

/** Settles in the order that loses nothing: what leaves the topic is written first, then the commit says so. */
export function createSettling(parts: SettlingParts): (batch: readonly Settlement[]) => Promise<readonly Refusal[]> {
  const { consumer, delaysInMemory } = parts
  const returning: Item[] = []

  const move = async (kind: 'letters' | 'retry', settlements: readonly Settlement[]) => {
    const leaving = settlements.filter(({ delivery }) => {
      const { moved, state } = itemOf(delivery)
      return !moved && state === 'held'
    })
    const records = leaving.flatMap((settlement) => {
      if (settlement.as === 'deadLetter') return [letterRecord(consumer, settlement)]
      return settlement.as === 'retry' ? [retryRecord(settlement)] : []
    })
    if (records.length === 0) return
    let refused = await parts.append(kind, records)
    if (kind === 'letters' && refused.length > 0) {
      const cut = leaving.flatMap((settlement, index) =>
        settlement.as === 'deadLetter' && refused.includes(records[index]!)
          ? [cutLetter(consumer, settlement, parts.placeOf(itemOf(settlement.delivery)))]
          : [],
      )
      if ((await parts.append(kind, cut)).length > 0)
        throw unavailable('Dead-lettering', new Error(`the broker refuses ${refused.length} letters`))
      refused = []
    }
    for (const [index, { delivery }] of leaving.entries())
      if (!refused.includes(records[index]!)) itemOf(delivery).moved = true
    if (kind === 'letters') crashPoint('kafka.deadLettersKept')
    else crashPoint('kafka.retriesWritten')
  }
  const apply = (settlement: Settlement) => {
    const item = itemOf(settlement.delivery)
    // Settled by a call whose commit failed.
    if (item.state !== 'held') return
    const { progress } = item
    if (settlement.as === 'started') progress.start(item)
    else if (settlement.as === 'release') {
      progress.release(item, settlement.attempt)
      returning.push(item)
    } else if (settlement.as === 'retry' && !item.moved) {
      // Nobody else would read it, or the broker refuses it.
      progress.release(item, settlement.attempt)
      parts.delay(item, settlement.afterMs)
    } else progress.done(item)
  }
  return async (batch) => {
    const moving = batch.filter(({ as, delivery }) => (as === 'deadLetter' || as === 'retry') && isCurrent(delivery))
    if (moving.length > 0) {
      await move(
        'letters',
        moving.filter(({ as }) => as === 'deadLetter'),
      )
      if (!delaysInMemory)
        await move(
          'retry',
          moving.filter(({ as }) => as === 'retry'),
        )
    }
    for (const settlement of batch) if (isCurrent(settlement.delivery)) apply(settlement)
    await parts.commit()
    crashPoint('transport.settled')
    const refused = batch.filter(({ delivery }) => !isCurrent(delivery))
    if (returning.length > 0) parts.putBack(returning.splice(0))
    return refused.map(({ delivery }): Refusal => ({ delivery, reason: 'the lease was lost' }))
  }
}

/** Whether a delivery is the latest of a message that nobody else can have. */
export function isCurrent({ receipt }: TransportDelivery): boolean {
  const { item, lease } = receipt as Receipt
  return item.progress.live && item.lease === lease
}

function itemOf({ receipt }: TransportDelivery): Item {
  return (receipt as Receipt).item
}

function retryRecord(settlement: Settlement & { readonly as: 'retry' }): NewRecord {
  const { delivery, attempt, afterMs } = settlement
  const { headers, payload, key, position } = delivery
  return {
    key: key ?? null,
    value: payload,
    headers: [
      ...writeKafkaHeaders(headers),
      ...[own.attempt, String(attempt)],
      ...[own.after, String(Math.ceil(afterMs))],
      ...[own.position, position],
    ],
  }
}
