import { headerTable, memoryTransport, type Outgoing, type Transport, type TransportDelivery } from '@evt/core'
import { order } from './order.ts'

const payload = Buffer.from(JSON.stringify(order))
const keys = Array.from({ length: 1_000 }, (_value, index) => `key-${index}`)

/** Messages out of nothing and settlements into nothing, each batch in a turn of the event loop of its own. */
export interface Instant {
  readonly transport: Transport
  /** Lets so many messages come. */
  offer(messages: number): void
}

/** What a server would hand over, as the client of one would: headers and key of its own, the same payload for all. */
export function instantMessage(number: number, isKeyed: boolean): TransportDelivery {
  const headers = headerTable()
  headers['ce-specversion'] = '1.0'
  headers['ce-id'] = `message-${number}`
  headers['ce-source'] = '/bench'
  headers['ce-type'] = 'order.created'
  headers['ce-time'] = '2026-01-01T00:00:00.000Z'
  headers['ce-dataschema'] = 'urn:evt:order.created:1'
  headers['content-type'] = 'application/json'
  // No spreading here: it would take longer than all that is measured.
  return {
    headers,
    payload,
    key: isKeyed ? keys[number % keys.length] : undefined,
    partition: 0,
    position: String(number),
    attempt: 1,
    deliveries: 1,
    suspect: false,
    leaseMs: 30_000,
    receipt: undefined,
  }
}

export function instantTransport(isKeyed: boolean, onPublished: (batch: readonly Outgoing[]) => void): Instant {
  const base = memoryTransport()
  let left = 0
  let number = 0
  let wake: (() => void) | undefined
  const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
  const transport: Transport = {
    ...base,
    name: 'instant',
    supports: { ...base.supports, durability: 'broker', attempts: 'exact' },
    async publish(batch) {
      await turn()
      onPublished(batch)
      return []
    },
    async consume() {
      return {
        async read(room, signal) {
          if (left === 0) {
            await new Promise<void>((resolve) => {
              const done = () => {
                signal.removeEventListener('abort', done)
                resolve()
              }
              wake = done
              signal.addEventListener('abort', done)
            })
          }
          await turn()
          const read: TransportDelivery[] = []
          for (; read.length < room.messages && left > 0; left -= 1) {
            number += 1
            read.push(instantMessage(number, isKeyed))
          }
          return read
        },
        async settle() {
          await turn()
          return []
        },
        extend: async () => [],
        close: async () => undefined,
      }
    },
  }
  return {
    transport,
    offer(messages) {
      left = messages
      wake?.()
    },
  }
}
