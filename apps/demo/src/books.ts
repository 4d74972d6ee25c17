import type { DlqStore } from '@evt/dlq'
import type { PgOutbox } from '@evt/outbox-pg'
import type { Pool } from 'pg'

export interface Books {
  readonly lines: number
  readonly accepted: number
  readonly rejected: number
  readonly repeated: number
  readonly orders: number
  readonly paid: number
  readonly shipped: number
  readonly cancelled: number
  readonly deadLettered: number
  readonly uniqueEffects: number
  readonly effects: number
  readonly waiting: number
  readonly parked: number
  /** From the insert of an order to its shipment, in milliseconds. */
  readonly latencyMs: { readonly p50: number; readonly p95: number; readonly p99: number }
}

/** Reads the books from the database; nothing in them was counted in memory. */
export async function readBooks(pool: Pool, source: string, dlq: DlqStore, pg: PgOutbox): Promise<Books> {
  const fates = await pool.query<{ fate: string; count: number }>(
    'select fate, count(*)::int as count from demo.lines where source = $1 group by fate',
    [source],
  )
  const fate = (name: string) => fates.rows.find((row) => row.fate === name)?.count ?? 0
  const kinds = await pool.query<{ kind: string; count: number }>(
    'select kind, count(distinct order_id)::int as count from demo.effects group by kind',
  )
  const kind = (name: string) => kinds.rows.find((row) => row.kind === name)?.count ?? 0
  const totals = await pool.query<{ orders: number; effects: number }>(
    `select (select count(*) from demo.orders)::int as orders, (select count(*) from demo.effects)::int as effects`,
  )
  const latency = await pool.query<{ gaps: number[] | null }>(
    `select percentile_cont(array[0.5, 0.95, 0.99]) within group (order by extract(epoch from happened_at - accepted_at) * 1000)
       as gaps
     from demo.effects join demo.orders on id = order_id where kind = 'shipment'`,
  )
  const [p50, p95, p99] = latency.rows[0]?.gaps ?? [0, 0, 0]
  return {
    lines: fates.rows.reduce((sum, row) => sum + row.count, 0),
    accepted: fate('accepted'),
    rejected: fate('rejected'),
    repeated: fate('repeated'),
    orders: totals.rows[0]!.orders,
    paid: kind('payment'),
    shipped: kind('shipment'),
    cancelled: kind('cancellation'),
    deadLettered: (await deadOrders(dlq)).size,
    uniqueEffects: kinds.rows.reduce((sum, row) => sum + row.count, 0),
    effects: totals.rows[0]!.effects,
    ...(await pg.count()),
    latencyMs: { p50: p50!, p95: p95!, p99: p99! },
  }
}

/** Orders with a dead letter. A message delivered twice may have two of them. */
export async function deadOrders(dlq: DlqStore): Promise<ReadonlySet<string>> {
  const found = new Set<string>()
  let cursor: string | undefined
  do {
    const page = await dlq.list({}, { cursor, limit: 500 })
    for (const entry of page.entries) if (entry.key !== undefined) found.add(entry.key)
    cursor = page.cursor
  } while (cursor !== undefined)
  return found
}

/** What is wrong with the books, a sentence each. */
export function checkBooks(books: Books, { linesRead, open }: { linesRead: number; open: number }): readonly string[] {
  const checks: readonly (readonly [string, number, number])[] = [
    ['lines read = lines counted', linesRead, books.lines],
    ['in = accepted + rejected + repeated', books.lines, books.accepted + books.rejected + books.repeated],
    ['accepted lines = orders', books.accepted, books.orders],
    [
      'accepted = shipped + cancelled + dead-lettered + open',
      books.accepted,
      books.shipped + books.cancelled + books.deadLettered + open,
    ],
    ['effects done = effects counted without a guard', books.uniqueEffects, books.effects],
    ['messages put aside = 0', books.parked, 0],
    ...(open === 0 ? [['messages waiting = 0', books.waiting, 0] as const] : []),
  ]
  return checks
    .filter(([, left, right]) => left !== right)
    .map(([rule, left, right]) => `${rule}: ${left} and ${right}`)
}
