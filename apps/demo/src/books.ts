import type { Database } from './database.ts'
import { deadOrders, unfinishedOrders } from './unfinished-orders.ts'

/** What the database holds, of all runs; nothing of it was counted in memory. */
export interface Books {
  readonly lines: number
  readonly linesOfSource: number
  readonly accepted: number
  readonly rejected: number
  readonly repeated: number
  readonly orders: number
  readonly paid: number
  readonly reserved: number
  readonly shipped: number
  readonly cancelled: number
  readonly deadLettered: number
  /** Orders with no end yet. */
  readonly open: number
  readonly uniqueEffects: number
  readonly effects: number
  /** Effects that nothing accounts for: of no order, or before what must come first. */
  readonly outOfTurn: number
  /** Rows of the outbox. */
  readonly waiting: number
  readonly parked: number
}
/** What this run knows of itself. */
export interface RunFacts {
  readonly linesCounted: number
  /** Whether a signal ended it: then the input has more lines and orders may be open. */
  readonly interrupted: boolean
  readonly open: number
  /** Whether the transport may lose messages: then open orders are lost ones. */
  readonly lossy: boolean
}

const linesByFate =
  'select fate, count(*)::int as count, (count(*) filter (where source = $1))::int as own from demo.lines group by fate'
const effectsByKind =
  'select kind, count(distinct order_id)::int as orders, count(*)::int as effects from demo.effects group by kind'
const totals = `select (select count(*) from demo.orders)::int as orders, (
    select count(*) from (
      select order_id, array_agg(kind) as kinds from demo.effects group by order_id
    ) as done left join demo.orders on id = order_id
    where id is null or 'payment' <> all (kinds)
      or ('shipment' = any (kinds) and 'reservation' <> all (kinds))
      or ('cancellation' = any (kinds) and 'reservation' = any (kinds))
  )::int as "outOfTurn"`

export async function readBooks({ pool, deadLetters, outbox }: Database, source: string): Promise<Books> {
  const lines = (await pool.query<{ fate: string; count: number; own: number }>(linesByFate, [source])).rows
  const fate = (name: string) => lines.find((row) => row.fate === name)?.count ?? 0
  const kinds = (await pool.query<{ kind: string; orders: number; effects: number }>(effectsByKind)).rows
  const kind = (name: string) => kinds.find((row) => row.kind === name)?.orders ?? 0
  const [total] = (await pool.query<{ orders: number; outOfTurn: number }>(totals)).rows
  const dead = await deadOrders(deadLetters)
  return {
    lines: sum(lines.map((row) => row.count)),
    linesOfSource: sum(lines.map((row) => row.own)),
    accepted: fate('accepted'),
    rejected: fate('rejected'),
    repeated: fate('repeated'),
    paid: kind('payment'),
    reserved: kind('reservation'),
    shipped: kind('shipment'),
    cancelled: kind('cancellation'),
    deadLettered: dead.size,
    open: (await unfinishedOrders(pool, dead)).length,
    uniqueEffects: sum(kinds.map((row) => row.orders)),
    effects: sum(kinds.map((row) => row.effects)),
    ...total!,
    ...(await outbox.count()),
  }
}

/** What is wrong with the books, a sentence each. */
export function checkBooks(books: Books, run: RunFacts): readonly string[] {
  const { accepted, shipped, cancelled, deadLettered, open } = books
  const faults: string[] = []
  const same = (rule: string, left: number, right: number) => {
    if (left !== right) faults.push(`${rule}: ${left} and ${right}`)
  }
  if (!run.interrupted) same('lines read = lines counted', run.linesCounted, books.linesOfSource)
  else if (run.linesCounted > books.linesOfSource)
    faults.push(`lines read <= lines counted: ${run.linesCounted} and ${books.linesOfSource}`)
  same('in = accepted + rejected + repeated', books.lines, accepted + books.rejected + books.repeated)
  same('accepted lines = orders', accepted, books.orders)
  same('accepted = shipped + cancelled + dead-lettered + open', accepted, shipped + cancelled + deadLettered + open)
  if (run.lossy) same('published = handled + lost', publishedOf(books), handledOf(books) + open)
  else same('open orders = those this run waits for', open, run.open)
  same('effects done = effects counted without a guard', books.uniqueEffects, books.effects)
  same('effects out of turn = 0', books.outOfTurn, 0)
  same('messages put aside = 0', books.parked, 0)
  if (!run.interrupted && !run.lossy) same('open orders = 0', open, 0)
  if (open === 0 || (run.lossy && !run.interrupted)) same('messages waiting = 0', books.waiting, 0)
  return faults
}

/** Messages for the services; each committed with what caused it. */
export function publishedOf({ orders, paid, reserved }: Books): number {
  return orders + paid + reserved
}
/** Those that a service handled: it did its work, or declined for good. */
export function handledOf({ paid, reserved, shipped, cancelled, deadLettered }: Books): number {
  return paid + reserved + shipped + cancelled + deadLettered
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0)
}
