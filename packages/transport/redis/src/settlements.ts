import type { Refusal, Settlement } from '@evt/core'
import type { RedisArgument } from '@evt/redis'
import { receiptOf } from './deliveries.ts'

/** The settlements of one stream, as the settle script takes them. */
export interface StreamSettlements {
  readonly label: number
  readonly batch: Settlement[]
  readonly acknowledged: string[]
  readonly others: RedisArgument[]
  /** What may be handed out again before the answer is here. */
  readonly released: Settlement[]
}

/** Settlements of a session by stream. Those of another session have lost their lease. */
export function byStream(
  batch: readonly Settlement[],
  session: string,
): { readonly streams: readonly StreamSettlements[]; readonly refusals: Refusal[] } {
  const streams = new Map<number, StreamSettlements>()
  const refusals: Refusal[] = []
  for (const settlement of batch) {
    const receipt = receiptOf(settlement.delivery)
    if (receipt.session !== session) {
      refusals.push(refusalOf(settlement))
      continue
    }
    const { label, id, count } = receipt
    let stream = streams.get(label)
    if (stream === undefined) {
      stream = { label, batch: [], acknowledged: [], others: [], released: [] }
      streams.set(label, stream)
    }
    stream.batch.push(settlement)
    if (settlement.as === 'ack') stream.acknowledged.push(id)
    else stream.others.push(settlement.as, id, count, ...detailsOf(settlement))
    if (settlement.as === 'release') stream.released.push(settlement)
  }
  return { streams: [...streams.values()], refusals }
}

export function refusalOf({ delivery }: Settlement): Refusal {
  return { delivery, reason: 'the lease was lost' }
}

function detailsOf(settlement: Settlement): RedisArgument[] {
  const { delivery } = settlement
  if (settlement.as === 'release') return [settlement.attempt, '', '']
  if (settlement.as === 'started') return [delivery.attempt, '', '']
  if (settlement.as === 'retry') return [settlement.attempt, Math.ceil(settlement.afterMs), delivery.position]
  if (settlement.as === 'deadLetter') return [settlement.reason, JSON.stringify(settlement.history), delivery.position]
  return []
}
