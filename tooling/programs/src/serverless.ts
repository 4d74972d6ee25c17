import { createBus, memoryTransport } from '@evt/core'
import { pgOutbox } from '@evt/outbox-pg'
import type { PgPoolLike } from '@evt/pg'
import { OrderPaid } from './contracts.ts'

/** Functions that answer at once and publish afterwards, or from cron: no relay runs between the calls. */
export function functions(pool: PgPoolLike, after: (work: () => Promise<unknown>) => void) {
  const outbox = pgOutbox({ pool, relay: false })
  const bus = createBus({ service: 'web', transport: memoryTransport(), outbox })
  return {
    outbox,
    bus,
    async POST(request: Request): Promise<Response> {
      await outbox.run(() => bus.publish(OrderPaid, { id: '1', paymentId: 'p' }))
      after(() => outbox.relay.drain({ budgetMs: 5_000, signal: request.signal }))
      return new Response(null, { status: 202 })
    },
    async GET(): Promise<Response> {
      return Response.json(await outbox.relay.drain({ budgetMs: 50_000 }))
    },
  }
}
