import { createBus, memoryTransport } from '@evt/core'
import { type PgOutbox, pgOutbox } from '@evt/outbox-pg'
import type { Pool } from 'pg'
import { OrderCreated } from './contracts.ts'

/** A service that opens its transactions itself, with pg alone. */
export function ownTransactions(pool: Pool): {
  readonly outbox: PgOutbox
  place(id: string, end: 'commit' | 'rollback'): Promise<void>
  placeWithout(id: string): Promise<unknown>
} {
  const outbox = pgOutbox({ pool, relay: false })
  const bus = createBus({ service: 'orders', transport: memoryTransport(), outbox })
  const order = (id: string) => ({ id, amount: 1, placedAt: 0 })
  return {
    outbox,
    async place(id, end) {
      const client = await pool.connect()
      await client.query('begin')
      await bus.publish(OrderCreated, order(id), { transaction: client })
      const execute = (sql: string, values: unknown[]) => client.query(sql, values)
      await bus.publishMany([OrderCreated.of(order(id))], { transaction: execute })
      await outbox.join(client, () => bus.publish(OrderCreated, order(id)))
      await client.query(end)
      client.release()
    },
    async placeWithout(id) {
      const client = await pool.connect()
      return bus.publish(OrderCreated, order(id), { transaction: client }).finally(() => client.release())
    },
  }
}
