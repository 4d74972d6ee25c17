import { randomUUID } from 'node:crypto'
import { type Consumer, type ConsumerEvents, type ConsumeSpec, crashPoint, type TransportDelivery } from '@evt/core'
import { sqlState } from '@evt/pg'
import type { Ask } from './database.ts'
import { type ClaimedRow, parseHeaders, toDeliveries } from './deliveries.ts'
import type { Groups } from './groups.ts'
import type { Names } from './names.ts'
import { receiptColumns, settlementColumns } from './settlements.ts'
import type { Topics } from './topics.ts'
import type { Wakes } from './wakes.ts'

interface ConsumerParts {
  readonly ask: Ask
  readonly names: Names
  readonly topics: Topics
  readonly groups: Groups
  readonly wakes: Wakes
  readonly spec: ConsumeSpec
  readonly events: ConsumerEvents
}

/** Where in a batch something stands, from 1. */
interface Place {
  readonly place: number
}

/** What the claim function raises where its group has been removed. */
const groupIsGone = 'EV001'
/** A lease is one row, which must stay small enough to be changed cheaply. */
const maxClaim = 200

/** Reads a topic as a group: claims in batches under leases, settles in batches fenced by them. */
export async function pgConsumer(parts: ConsumerParts): Promise<Consumer> {
  const { ask, names, topics, groups, wakes, spec, events } = parts
  const { claim, acknowledge, settle, extend } = names.quoted
  const owner = randomUUID()
  const ordered = spec.ordered === 'group'
  const ephemeral = 'reader' in spec.as && spec.as.reader === 'ephemeral'
  const join = async () => {
    const topic = await topics.declare({ name: spec.topic, partitions: undefined })
    const joined = { topic: topic.id, ...(await groups.join(topic, spec)) }
    wakes.enter(joined.topic, joined.id)
    return joined
  }
  let group = await join()
  // How many messages a parcel holds, as far as is known: a claim locks no more parcels than it needs.
  let parcelSize = 1
  let closed = false
  /** Messages that somebody removed and nobody has been told of. */
  let removed = 0

  const oneByOne = async (row: ClaimedRow) => {
    const sql = `select id::text, headers from ${names.quoted.message} where topic_id = $1 and id = any (($2::text)::bigint[])`
    const rows = await ask<{ id: string; headers: string }>('Reading', sql, [group.topic, `{${row.messages}}`])
    const kept = new Map(rows.map(({ id, headers }) => [id, headers]))
    const headers = row.messages!.split(',').map((id) => parseHeaders(kept.get(id) ?? ''))
    return toDeliveries(row, spec.leaseMs, headers)!
  }
  const take = async (messages: number, bytes: number) => {
    const maxParcels = ordered ? messages : Math.ceil(messages / parcelSize)
    const sql = `select * from ${claim}($1, $2, $3, $4, $5, $6, $7)`
    const values = [group.id, owner, ordered, maxParcels, messages, bytes, spec.leaseMs]
    const rows = await ask<ClaimedRow>('Reading', sql, values)
    const [first] = rows as readonly [ClaimedRow]
    const deliveries: TransportDelivery[] = []
    if (first.messages !== null) {
      for (const row of rows) deliveries.push(...(toDeliveries(row, spec.leaseMs) ?? (await oneByOne(row))))
    }
    const { missing, touched, wait_ms } = first
    return { deliveries, missing: missing ?? 0, touched, waitMs: wait_ms ?? undefined, maxParcels }
  }
  const recreate = async () => {
    wakes.leave(group.topic, group.id)
    topics.forget([spec.topic])
    group = await join()
    events.cut(null, 'the group had been removed')
    events.recreated(`group ${spec.consumer}`)
  }
  const tellRemoved = () => {
    if (removed > 0) events.cut(removed, 'somebody removed messages from the table')
    removed = 0
  }
  return {
    async read(room, signal) {
      const maxBytes = Math.min(room.bytes, Number.MAX_SAFE_INTEGER)
      const maxMessages = Math.min(room.messages, maxClaim)
      while (!signal.aborted && !closed) {
        let taken: Awaited<ReturnType<typeof take>>
        try {
          taken = await take(maxMessages, maxBytes)
        } catch (error) {
          if (sqlState(error) !== groupIsGone) throw error
          await recreate()
          continue
        }
        const { deliveries, missing, touched, maxParcels, waitMs } = taken
        removed += missing
        // There may be more behind them, and each of a thousand would be a line in a log.
        if (deliveries.length === 0 && missing > 0) continue
        tellRemoved()
        if (deliveries.length > 0) {
          crashPoint('transport.claimed')
          parcelSize = deliveries.length / touched
          // Fewer than that means that nothing was left, unless the bytes were what ended it.
          if (deliveries.length >= Math.min(maxMessages, maxParcels)) wakes.wake(group.id)
          return deliveries
        }
        parcelSize = 1
        if (group.pending) group = { ...group, pending: await groups.backfill(group.id) }
        await wakes.wait(group.id, waitMs, signal)
      }
      tellRemoved()
      return []
    },
    async settle(batch) {
      if (batch.length === 0) return []
      const places = batch.every(({ as }) => as === 'ack')
        ? await ask<Place>('Settling', `select ${acknowledge}($1, $2, $3) as place`, [owner, ...receiptColumns(batch)])
        : await ask<Place>('Settling', `select ${settle}($1, $2, $3, $4, $5, $6, $7, $8, $9) as place`, [
            group.id,
            owner,
            ...settlementColumns(batch),
          ])
      crashPoint('transport.settled')
      for (const settlement of batch) {
        if (settlement.as === 'release') wakes.wake(group.id)
        else if (settlement.as === 'retry') wakes.wakeAfter(group.id, settlement.afterMs)
      }
      return places.map(({ place }) => ({ delivery: batch[place - 1]!.delivery, reason: 'the lease was lost' }))
    },
    async extend(held) {
      if (held.length === 0) return []
      const sql = `select ${extend}($1, $2, $3, $4) as place`
      const places = await ask<Place>('Renewing leases', sql, [
        owner,
        ...receiptColumns(held.map((delivery) => ({ delivery }))),
        spec.leaseMs,
      ])
      return places.map(({ place }) => held[place - 1]!)
    },
    async close() {
      if (closed) return
      closed = true
      wakes.leave(group.topic, group.id)
      if (ephemeral) await groups.leave(group.id)
    },
  }
}
