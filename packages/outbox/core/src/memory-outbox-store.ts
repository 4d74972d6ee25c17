import { type Clock, checkKnown, type StoredMessage, systemClock } from '@evt/core'
import type { MemoryTransaction } from './memory-transactions.ts'
import type { Lease, OutboxRow, OutboxStore } from './outbox-store.ts'

interface Kept {
  readonly position: string
  readonly number: number
  readonly message: StoredMessage
}

/** Rows in this process, for tests and for outboxes that need not outlive it. */
export function memoryOutboxStore(
  options: { readonly clock?: Clock | undefined } = {},
): OutboxStore<Pick<MemoryTransaction, 'onCommit'>> {
  checkKnown('memoryOutboxStore', options, ['clock'])
  const clock = options.clock ?? systemClock
  const rows = new Map<string, Kept>()
  const parked = new Map<string, Kept>()
  let written = 0
  let lease: (Lease & { readonly untilMs: number }) | undefined
  let token = 0

  const isHeld = (held: Lease) =>
    lease !== undefined &&
    lease.owner === held.owner &&
    lease.token === held.token &&
    clock.monotonicMs() < lease.untilMs
  const bound = () => {
    // A Map keeps the order of insertion, which here is the order of positions.
    let last: string | null = null
    for (const position of rows.keys()) last = position
    return last
  }
  return {
    name: 'memory',
    probe: async () => ({ durability: 'volatile', scope: 'memory' }),
    async append(transaction, messages) {
      const copies = messages.map((message) => ({ ...message, payload: message.payload.slice() }))
      transaction.onCommit(() => {
        for (const message of copies) {
          written += 1
          const position = String(written)
          rows.set(position, { position, number: written, message })
        }
      })
    },
    async lead(owner, leaseMs) {
      const nowMs = clock.monotonicMs()
      if (lease !== undefined && lease.owner !== owner && nowMs < lease.untilMs) return null
      if (lease?.owner !== owner) token += 1
      lease = { owner, token: String(token), untilMs: nowMs + leaseMs }
      return { owner, token: lease.token, bound: bound() }
    },
    async release(held) {
      if (isHeld(held)) lease = { ...held, untilMs: 0 }
    },
    bound: async () => bound(),
    async read({ transport, after, upTo, skipKeys, limit, maxBytes }) {
      const skipped = new Set(skipKeys)
      const found: OutboxRow[] = []
      let bytes = 0
      for (const { position, number, message } of rows.values()) {
        if (number <= Number(after ?? 0)) continue
        if (number > Number(upTo) || found.length === limit || bytes >= maxBytes) break
        if (message.key !== undefined && skipped.has(message.key)) continue
        const isOf = 'only' in transport ? transport.only === message.transport : true
        if (!isOf || ('noneOf' in transport && transport.noneOf.includes(message.transport))) continue
        bytes += message.payload.byteLength
        found.push({ position, key: message.key, message })
      }
      return found
    },
    async delete(positions) {
      for (const position of positions) rows.delete(position)
    },
    async park(held, refused) {
      if (!isHeld(held)) return false
      for (const { position } of refused) {
        const row = rows.get(position)
        if (row === undefined) continue
        rows.delete(position)
        parked.set(position, row)
      }
      return true
    },
    count: async () => ({ waiting: rows.size, parked: parked.size }),
  }
}
