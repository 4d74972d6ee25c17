import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { type Bus, evtError, isEvtError } from '@evt/core'
import { type PgTransaction, pgFailure } from '@evt/pg'
import type { DemoOutbox } from './duplicating-outbox.ts'
import type {} from './errors.ts'
import { type Order, OrderCreated } from './events.ts'
import type { OpenOrders } from './open-orders.ts'
import { parseLine } from './parse-line.ts'
import type { Line, LineSource } from './read-lines.ts'

export interface Intake {
  readonly source: LineSource
  readonly outbox: Pick<DemoOutbox, 'run'>
  readonly bus: Bus<PgTransaction>
  readonly open: OpenOrders
  readonly signal: AbortSignal
  /** So many more lines are counted. */
  readonly onCounted: (lines: number) => void
}

const maxBatch = 64
const retryMs = 500

/**
 * Takes in all lines in their order; each is counted once, in the transaction that decides its fate. Rejects with
 * `EVT_DEMO_SOURCE_CHANGED` where an earlier run counted another line under this number.
 */
export async function takeIn(intake: Intake): Promise<void> {
  const { source, open, signal, onCounted } = intake
  for await (const lines of source.batches) {
    for (let next = 0; next < lines.length; ) {
      const room = await open.room(signal)
      if (room === 0) return
      const some = lines.slice(next, next + Math.min(room, maxBatch))
      await untilKnown(() => takeLines(intake, some), signal)
      onCounted(some.length)
      next += some.length
    }
    if (signal.aborted) return
  }
}

interface ReadLine {
  readonly number: number
  readonly digest: string
  readonly order: Order | undefined
  readonly reason: string | undefined
}

/** One transaction for some lines: their numbers, their orders and the events of these. */
async function takeLines({ source, outbox, bus, open }: Intake, lines: readonly Line[]): Promise<void> {
  const read = lines.map(readLine)
  let added: readonly string[] = []
  try {
    await outbox.run(async (transaction) => {
      const fresh = await countLines(transaction, source.name, read)
      const orders = await insertOrders(transaction, fresh)
      await markRepeated(transaction, source.name, fresh, orders)
      if (orders.size === 0) return
      const ids = [...orders.values()].map((order) => order.id)
      open.add(ids)
      added = ids
      transaction.afterCommit(() => open.committed(ids))
      await bus.publishMany([...orders.values()].map((order) => OrderCreated.of(order)))
    })
  } catch (error) {
    // Where the outcome is unknown they may be on their way.
    if (!isEvtError(error, 'EVT_TX_OUTCOME_UNKNOWN')) open.forget(added)
    throw error
  }
}

function readLine({ number, text }: Line): ReadLine {
  const parsed = parseLine(text)
  return {
    number,
    digest: createHash('sha256').update(text).digest('base64url').slice(0, 22),
    order: 'order' in parsed ? parsed.order : undefined,
    reason: 'reason' in parsed ? parsed.reason : undefined,
  }
}

/** Counts lines and answers those that no earlier run has counted. */
async function countLines(
  transaction: PgTransaction,
  source: string,
  lines: readonly ReadLine[],
): Promise<readonly ReadLine[]> {
  const numbers = lines.map((line) => line.number)
  const digests = lines.map((line) => line.digest)
  const { rows } = await transaction.query<{ number: string }>(
    `insert into demo.lines (source, number, digest, fate, reason)
     select $1, number, digest, case when reason is null then 'accepted' else 'rejected' end, reason
     from unnest($2::bigint[], $3::text[], $4::text[]) as given (number, digest, reason)
     on conflict do nothing returning number`,
    [source, numbers, digests, lines.map((line) => line.reason ?? null)],
  )
  if (rows.length < lines.length) {
    const { rows: changed } = await transaction.query<{ number: string }>(
      `select number from demo.lines join unnest($2::bigint[], $3::text[]) as given (number, digest) using (number)
       where source = $1 and lines.digest <> given.digest order by number limit 1`,
      [source, numbers, digests],
    )
    if (changed[0] !== undefined) throw sourceChanged(source, Number(changed[0].number))
  }
  const counted = new Set(rows.map((row) => Number(row.number)))
  return lines.filter((line) => counted.has(line.number))
}

/** Inserts the orders that are not there yet and answers them by line. */
async function insertOrders(
  transaction: PgTransaction,
  lines: readonly ReadLine[],
): Promise<ReadonlyMap<ReadLine, Order>> {
  const firstLines = new Map<string, ReadLine>()
  for (const line of lines)
    if (line.order !== undefined && !firstLines.has(line.order.id)) firstLines.set(line.order.id, line)
  if (firstLines.size === 0) return new Map()
  const { rows } = await transaction.query<{ id: string }>(
    `insert into demo.orders (id, payload) select id, payload from unnest($1::text[], $2::text[]) as given (id, payload)
     on conflict do nothing returning id`,
    [[...firstLines.keys()], Array.from(firstLines.values(), (line) => JSON.stringify(line.order))],
  )
  const inserted = new Set(rows.map((row) => row.id))
  return new Map([...firstLines].filter(([id]) => inserted.has(id)).map(([, line]) => [line, line.order!]))
}

async function markRepeated(
  transaction: PgTransaction,
  source: string,
  lines: readonly ReadLine[],
  accepted: ReadonlyMap<ReadLine, Order>,
): Promise<void> {
  const repeated = lines.filter((line) => line.order !== undefined && !accepted.has(line))
  if (repeated.length === 0) return
  await transaction.query(`update demo.lines set fate = 'repeated' where source = $1 and number = any ($2::bigint[])`, [
    source,
    repeated.map((line) => line.number),
  ])
}

/** Repeats while the database is away: a line has a number, so taking it in twice counts it once. */
async function untilKnown(work: () => Promise<void>, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      return await work()
    } catch (thrown) {
      const error = pgFailure(thrown, { operation: 'Taking in orders', relation: 'demo.lines' })
      const passes = isEvtError(error) && (error.retryable || error.code === 'EVT_TX_OUTCOME_UNKNOWN')
      if (!passes || signal.aborted) throw error
      await delay(retryMs)
    }
  }
}

function sourceChanged(source: string, number: number): Error {
  const message = `Line ${number} of "${source}" is not the one that an earlier run counted: name this input with --source`
  return evtError('EVT_DEMO_SOURCE_CHANGED', message, { source, number })
}
