import { createServer, type Server } from 'node:http'
import { type Bus, createBus, memoryTransport } from '@evt/core'
import { type PgOutbox, pgOutbox } from '@evt/outbox-pg'
import type { PgTransaction } from '@evt/pg'
import type { Pool } from 'pg'
import { OrderCreated } from './contracts.ts'

/** An HTTP service whose orders and events commit together. */
export function orderService(pool: Pool): {
  readonly pg: PgOutbox
  readonly bus: Bus<PgTransaction>
  readonly server: Server
} {
  const pg = pgOutbox({ pool, relay: { pollMs: 50 } })
  const bus = createBus({ service: 'orders', transport: memoryTransport(), outbox: pg, outsideTransaction: 'refuse' })
  const server = createServer((_request, response) => {
    pg.run(async (tx) => {
      const { rows } = await tx.query('insert into orders default values returning id')
      const { id } = rows[0] as { readonly id: string }
      await bus.publish(OrderCreated, { id, amount: 1, placedAt: new Date() }) // ambient
      await bus.publish(OrderCreated, { id, amount: 2, placedAt: '2026-01-01' }, { transaction: tx }) // explicit
      return id
    }).then(
      (id) => response.end(id),
      (error: unknown) => response.writeHead(500).end(String(error)),
    )
  })
  return { pg, bus, server }
}
