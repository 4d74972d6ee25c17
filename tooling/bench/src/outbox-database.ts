import { createBus, memoryTransport, silentLogger, type Transport } from '@evt/core'
import { pgOutbox } from '@evt/outbox-pg'
import { freshDatabase } from '@evt/servers'
import type { Ledger } from './ledger.ts'
import { KeyedOrder, order } from './order.ts'

const bodyOf = (id: string) => JSON.stringify({ ...order, id })

/** A relay that looks by itself would have carried a part of the rows away before the clock starts. */
export const onlyWhenDrained = { pollMs: 3_600_000, leaseMs: 3_600_000 }

/** Rows as the outbox writes them, copied from one that it wrote. */
export async function outboxDatabase(transport: Transport = memoryTransport()) {
  const database = await freshDatabase(8)
  const outbox = pgOutbox({ pool: database.pool, relay: false, listen: false })
  await outbox.migrate()
  const bus = createBus({ service: 'bench', logger: silentLogger, transport, outbox })
  await outbox.run(() => bus.publish(KeyedOrder, { ...order, id: 'template' }))
  await bus.close()
  const { pool } = database
  // A relay that starts before the first round must not find the original.
  await pool.query('create table template as select transport, topic, headers from evt_outbox; truncate evt_outbox')
  return {
    ...database,
    async fill(rows: number, ledger: Ledger | undefined) {
      await pool.query('truncate evt_outbox')
      for (let first = 0; first < rows; first += 10_000) {
        const ids = Array.from({ length: Math.min(10_000, rows - first) }, (_value, index) => `m-${first + index}`)
        for (const id of ids) ledger?.sent(id)
        await pool.query(
          `insert into evt_outbox (transport, topic, message_id, key, headers, payload)
           select transport, topic, id, id, replace(headers, headers::json->>'ce-id', id), convert_to($2, 'utf8')
           from template, unnest($1::text[]) as id`,
          [ids, bodyOf('template')],
        )
      }
      await pool.query('vacuum (analyze) evt_outbox')
      await pool.query('checkpoint')
    },
  }
}
