import { setTimeout as delay } from 'node:timers/promises'
import { type Bus, isEvtError } from '@evt/core'
import type { PgOutbox } from '@evt/outbox-pg'
import type { PgTransaction } from '@evt/pg'
import type { Pool } from 'pg'
import { type Order, OrderCreated } from './events.ts'
import type { OpenOrders } from './open-orders.ts'
import type { Line, LineSource } from './read-lines.ts'

export interface Intake {
  readonly source: LineSource
  readonly pool: Pool
  readonly pg: PgOutbox
  readonly bus: Bus<PgTransaction>
  readonly open: OpenOrders
  readonly signal: AbortSignal
  readonly onRead: () => void
}

const workers = 8
const retryMs = 500

/** Takes in all lines; each is counted once, in the transaction that decides its fate. */
export async function takeIn(intake: Intake): Promise<void> {
  const lines = toAsync(intake.source.lines)
  const failed = new AbortController()
  const stop = AbortSignal.any([intake.signal, failed.signal])
  const work = async () => {
    while (!stop.aborted) {
      await intake.open.room(stop)
      if (stop.aborted) return
      const next = await lines.next()
      if (next.done) return
      intake.onRead()
      await untilKnown(() => takeLine(intake, next.value), stop)
    }
  }
  const guarded = () =>
    work().catch((error: unknown) => {
      failed.abort()
      throw error
    })
  const results = await Promise.allSettled(Array.from({ length: workers }, guarded))
  const failure = results.find((result) => result.status === 'rejected')
  if (failure !== undefined) throw failure.reason
}

async function takeLine({ source, pool, pg, bus, open }: Intake, { number, text }: Line): Promise<void> {
  const parsed = parseLine(text)
  if ('reason' in parsed) {
    await count(pool, source.name, number, 'rejected', parsed.reason)
    return
  }
  const { order } = parsed
  let accepted = false
  let added = false
  try {
    await pg.run(async (transaction) => {
      accepted = false
      const { rowCount: first } = await count(transaction, source.name, number, 'accepted', null)
      if (first === 0) return
      const { rowCount } = await transaction.query(
        'insert into demo.orders (id, payload) values ($1, $2) on conflict do nothing',
        [order.id, JSON.stringify(order)],
      )
      if (rowCount === 0) {
        await transaction.query(`update demo.lines set fate = 'repeated' where source = $1 and number = $2`, [
          source.name,
          number,
        ])
        return
      }
      open.add(order.id)
      added = true
      await bus.publish(OrderCreated, order)
      accepted = true
    })
  } catch (error) {
    if (added && !isEvtError(error, 'EVT_TX_OUTCOME_UNKNOWN')) open.forget(order.id)
    throw error
  }
  if (added && !accepted) open.forget(order.id)
}

interface Queryable {
  query(sql: string, values: unknown[]): Promise<{ rowCount: number | null }>
}
function count(to: Queryable, source: string, number: number, fate: string, reason: string | null) {
  return to.query(
    'insert into demo.lines (source, number, fate, reason) values ($1, $2, $3, $4) on conflict do nothing',
    [source, number, fate, reason],
  )
}

/** Repeats while the database is away: a line has a number, so taking it in twice counts it once. */
async function untilKnown(work: () => Promise<void>, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      return await work()
    } catch (error) {
      const known = !isEvtError(error) || !(error.retryable || error.code === 'EVT_TX_OUTCOME_UNKNOWN')
      if (known || signal.aborted) throw error
      await delay(retryMs)
    }
  }
}

function parseLine(text: string): { readonly order: Order } | { readonly reason: string } {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { reason: 'not JSON' }
  }
  const result = OrderCreated.schema['~standard'].validate(value)
  if (result instanceof Promise) throw new Error('the schema of an order is synchronous')
  if (result.issues === undefined) return { order: result.value as Order }
  return {
    reason: result.issues
      .map((issue) => `${(issue.path ?? []).map(String).join('.')}: ${issue.message}`)
      .join('; ')
      .slice(0, 500),
  }
}

/** One reader for many workers. */
function toAsync(lines: AsyncIterable<Line> | Iterable<Line>): { next(): Promise<IteratorResult<Line>> } {
  const iterator = Symbol.asyncIterator in lines ? lines[Symbol.asyncIterator]() : lines[Symbol.iterator]()
  return { next: async () => iterator.next() }
}
