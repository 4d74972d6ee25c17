import { type BatchHandler, createBus, type Delivery, memoryTransport, onBatch, reject, silentLogger } from '@evt/core'
import { exactlyOnce } from '@evt/idempotency'
import { pgInbox } from '@evt/idempotency-pg'
import { pgTransactions } from '@evt/pg'
import { freshDatabase } from '@evt/servers'
import type { Ledger } from './ledger.ts'
import { type Order, OrderCreated, order } from './order.ts'
import { sideBySide } from './side-by-side.ts'
import type { Contender, Running, Workload } from './workload.ts'

const connections = 16
const batchSize = 100
const publishedAtOnce = 500
const insertEffect = 'insert into effects (id, body) values ($1, $2)'
const insertEffects = 'insert into effects (id, body) select * from unnest($1::text[], $2::text[])'
const bodyOf = (id: string) => JSON.stringify({ ...order, id })
/** One in so many messages fails where failures are measured. */
const failing = 100

/** The effect of a message once: inbox entry and effect in one transaction, over the memory transport. */
export const workloads: readonly Workload[] = [
  {
    kind: 'throughput',
    id: 'w13.single',
    title: `exactly-once handler, one message a transaction, ${connections} connections`,
    messages: 5_000,
    checked: 'everyRound',
    servers: ['postgres'],
    contenders: [handWritten('single'), evt('evt', 'single')],
    goals: [
      { text: 'of the speed of a hand-written loop', value: (read) => read.ratio('evt', 'hand-written'), atLeast: 0.9 },
    ],
  },
  {
    kind: 'throughput',
    id: 'w13.batch',
    title: `exactly-once handler, ${batchSize} messages a transaction, each with a statement of its own`,
    messages: 20_000,
    checked: 'everyRound',
    servers: ['postgres'],
    contenders: [handWritten('batch'), evt('evt', 'batch'), evt('evt, 1 % fail', 'batch', true)],
    goals: [
      { text: 'messages a second', value: (read) => read.perSecond('evt'), atLeast: 12_000 },
      { text: 'times the cost where 1 % fail', value: (read) => read.ratio('evt', 'evt, 1 % fail'), atMost: 2 },
    ],
  },
  {
    kind: 'throughput',
    id: 'w13.set',
    title: `exactly-once handler, ${batchSize} messages a transaction, one statement for all effects`,
    messages: 40_000,
    checked: 'everyRound',
    servers: ['postgres'],
    contenders: [handWritten('set'), evt('evt', 'set'), evt('evt, 1 % fail', 'set', true)],
    goals: [
      { text: 'messages a second', value: (read) => read.perSecond('evt'), atLeast: 35_000 },
      { text: 'times the cost where 1 % fail', value: (read) => read.ratio('evt', 'evt, 1 % fail'), atMost: 2 },
    ],
  },
]

type Manner = 'single' | 'batch' | 'set'

async function effectsDatabase() {
  const database = await freshDatabase(connections)
  const { pool } = database
  await pool.query('create table effects (id text not null, body text not null)')
  return {
    ...database,
    collect: async (ledger: Ledger | undefined, clear: string) => {
      const { rows } = await pool.query<{ id: string; body: string }>('select id, body from effects')
      for (const { id, body } of rows) ledger?.handled(id, body)
      await pool.query(`truncate effects; ${clear}`)
    },
  }
}

/** A queue of encoded messages and loops that work them off. */
function handWritten(manner: Manner): Contender {
  return {
    name: 'hand-written',
    async start(): Promise<Running> {
      const { pool, collect, drop } = await effectsDatabase()
      await pool.query(
        'create table inbox (consumer text, id text, at timestamptz default now(), primary key (consumer, id))',
      )
      const enter = `insert into inbox (consumer, id) values ('bench', $1) on conflict do nothing`
      const enterAll = `insert into inbox (consumer, id) select 'bench', id from unnest($1::text[]) as id on conflict do nothing returning id`
      const parse = (message: string) => {
        const { id } = JSON.parse(message) as { id: string }
        return [id, JSON.stringify({ ...order, id })] as const
      }
      const one = async (message: string) => {
        const connection = await pool.connect()
        await connection.query('begin')
        const row = parse(message)
        const { rowCount } = await connection.query(enter, [row[0]])
        if (rowCount === 1) await connection.query(insertEffect, [...row])
        await connection.query('commit')
        connection.release()
      }
      const several = async (messages: readonly string[]) => {
        const connection = await pool.connect()
        await connection.query('begin')
        const rows = messages.map(parse)
        const entered = await connection.query<{ id: string }>(enterAll, [rows.map(([id]) => id)])
        const fresh = new Set(entered.rows.map(({ id }) => id))
        const due = rows.filter(([id]) => fresh.has(id))
        if (manner === 'set')
          await connection.query(insertEffects, [due.map(([id]) => id), due.map(([, body]) => body)])
        else for (const row of due) await connection.query(insertEffect, [...row])
        await connection.query('commit')
        connection.release()
      }
      return {
        prepare: async (messages, ledger) => tellSent(messages, ledger),
        async run(messages) {
          const queue = Array.from({ length: messages }, (_value, index) => bodyOf(`m-${index}`))
          if (manner === 'single') return sideBySide(messages, connections, (index) => one(queue[index]!))
          await sideBySide(messages / batchSize, lanes(manner), (index) =>
            several(queue.slice(index * batchSize, (index + 1) * batchSize)),
          )
        },
        collect: (ledger) => collect(ledger, 'truncate inbox'),
        stop: drop,
      }
    },
  }
}

/** Before the clock runs: a hand-written loop has the text at hand, ours has it where nobody sees it. */
function tellSent(messages: number, ledger: Ledger | undefined): void {
  for (let index = 0; index < messages; index += 1) ledger?.sent(`m-${index}`, bodyOf(`m-${index}`))
}

/** Batches at once. */
const lanes = (manner: Manner): number => (manner === 'single' ? connections : 2)

function evt(name: string, manner: Manner, someFail = false): Contender {
  return {
    name,
    async start(): Promise<Running> {
      const { pool, collect, drop } = await effectsDatabase()
      const transactions = pgTransactions({ pool })
      const inbox = pgInbox({ pool })
      await inbox.migrate()
      const once = exactlyOnce({ transactions, inbox })
      const bus = createBus({
        ...{ service: 'bench', logger: silentLogger, onError: () => undefined },
        transport: memoryTransport({ maxMessages: 100_000, maxDeadLetters: 1_000_000 }),
      })
      let ledger: Ledger | undefined
      let left = 0
      let finished = () => {}
      const done = (count: number) => {
        left -= count
        if (left === 0) finished()
      }
      const failWhereDue = (id: string) => {
        if (someFail && isFailing(id)) reject('it fails')
      }
      const single = once<'order.created', Order>(async (payload, _delivery, tx) => {
        await tx.query(insertEffect, [payload.id, JSON.stringify(payload)])
      })
      const several = once.batch<'order.created', Order>(async (payloads, _deliveries, tx) => {
        if (manner === 'set') {
          for (const { id } of payloads) failWhereDue(id)
          const bodies = payloads.map((payload) => JSON.stringify(payload))
          return void (await tx.query(insertEffects, [payloads.map(({ id }) => id), bodies]))
        }
        for (const payload of payloads) {
          failWhereDue(payload.id)
          await tx.query(insertEffect, [payload.id, JSON.stringify(payload)])
        }
      })
      if (manner === 'single') {
        const handler = async (payload: Order, delivery: Delivery<'order.created', Order>) => {
          await single(payload, delivery)
          done(1)
        }
        await bus.subscribe(OrderCreated, handler, { group: 'bench', concurrency: connections })
      } else {
        const handler: BatchHandler<'order.created', Order> = async (payloads, batch) => {
          const results = (await several(payloads, batch)) as readonly PromiseSettledResult<unknown>[]
          for (const [index, { status }] of results.entries()) {
            const { id } = payloads[index]!
            // Its dead letter is all there is to see of it.
            if (status === 'rejected' && isFailing(id)) ledger?.handled(id)
          }
          done(results.length)
          return results
        }
        const options = { group: 'bench', concurrency: lanes(manner), batch: { maxItems: batchSize, lingerMs: 5 } }
        await bus.subscribe(onBatch(OrderCreated, handler, options))
      }
      return {
        async prepare(messages, record) {
          ledger = record
          tellSent(messages, record)
        },
        async run(messages) {
          left = messages
          const all = new Promise<void>((resolve) => {
            finished = resolve
          })
          for (let first = 0; first < messages; first += publishedAtOnce) {
            const some = Array.from({ length: publishedAtOnce }, (_value, index) => ({
              ...order,
              id: `m-${first + index}`,
            }))
            await bus.publishMany(some.map((payload) => OrderCreated.of(payload)))
          }
          await all
        },
        collect: (record) => collect(record, 'truncate evt_inbox'),
        async stop() {
          await bus.close()
          await drop()
        },
      }
    },
  }
}

const isFailing = (id: string) => Number(id.slice(2)) % failing === 0
