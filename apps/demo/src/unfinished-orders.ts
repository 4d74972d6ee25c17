import type { DlqStore } from '@evt/dlq'
import type { Pool } from 'pg'

/** Orders accepted and neither shipped, cancelled nor dead-lettered. */
export async function unfinishedOrders(pool: Pool, dead: ReadonlySet<string>): Promise<readonly string[]> {
  const { rows } = await pool.query<{ id: string }>(
    `select id from demo.orders where not exists
       (select from demo.effects where order_id = id and kind in ('shipment', 'cancellation'))`,
  )
  return rows.map((row) => row.id).filter((id) => !dead.has(id))
}

/** Those of some orders that were shipped or cancelled. */
export async function endedOrders(pool: Pool, ids: readonly string[]): Promise<readonly string[]> {
  if (ids.length === 0) return []
  const { rows } = await pool.query<{ id: string }>(
    `select order_id as id from demo.effects where order_id = any ($1) and kind in ('shipment', 'cancellation')`,
    [ids],
  )
  return rows.map((row) => row.id)
}

/** Orders with a dead letter. A message delivered twice may have two of them. */
export async function deadOrders(deadLetters: DlqStore): Promise<ReadonlySet<string>> {
  const found = new Set<string>()
  let cursor: string | undefined
  do {
    const page = await deadLetters.list({}, { cursor, limit: 500 })
    for (const entry of page.entries) if (entry.key !== undefined) found.add(entry.key)
    cursor = page.cursor
  } while (cursor !== undefined)
  return found
}
