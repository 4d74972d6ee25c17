import { createBus, memoryTransport, silentLogger } from '@evt/core'
import { exactlyOnce } from '@evt/idempotency'
import { pgInbox } from '@evt/idempotency-pg'
import { pgOutbox } from '@evt/outbox-pg'
import { freshDatabase } from '@evt/servers'
import { Ledger } from './ledger.ts'
import { openLoop } from './open-loop.ts'
import { KeyedOrder, order } from './order.ts'
import { noRounds, type Result, toResult } from './result.ts'
import { sideBySide } from './side-by-side.ts'
import { median } from './statistics.ts'
import type { Workload } from './workload.ts'

const connections = 16
const calibrated = 4_000
const load = 0.7
const sampledMs = 1_000
const name = 'evt'

/** W19: everything together for a long time, at 70 % of what a short closed loop reaches here and now. */
const soak: Workload = {
  kind: 'samples',
  id: 'w19',
  title: 'outbox, relay, memory transport and exactly-once handler for a long time',
  unit: 'RSS MB, sampled',
  contenders: [],
  goals: [
    { text: '% that RSS drifts', value: (read) => read.fact(name, 'RSS drift %'), atMost: 5 },
    // Timers and idle connections come and go; what leaks with each message would be thousands.
    { text: 'timers and sockets more at the end', value: (read) => read.fact(name, 'resources more'), atMost: 10 },
    { text: 'listeners more at the end', value: (read) => read.fact(name, 'listeners more'), atMost: 0 },
  ],
}

export async function runSoak(seconds: number, onProgress: (text: string) => void): Promise<Result> {
  const { pool, drop } = await freshDatabase(connections)
  const outbox = pgOutbox({ pool })
  const inbox = pgInbox({ pool })
  await outbox.migrate()
  await inbox.migrate()
  await pool.query('create table orders (id text primary key); create table effects (id text not null)')
  const bus = createBus({ service: 'bench', logger: silentLogger, transport: memoryTransport(), outbox })
  const once = exactlyOnce({ transactions: outbox, inbox })
  let handled = 0
  let arrived = () => {}
  const handler = once<'order.created', typeof order>(async ({ id }, _delivery, tx) => {
    await tx.query('insert into effects (id) values ($1)', [id])
    handled += 1
    arrived()
  })
  await bus.subscribe(KeyedOrder, handler, { group: 'bench', concurrency: connections / 2 })
  let count = 0
  const sendOne = async () => {
    count += 1
    const id = `m-${count}`
    await outbox.run(async (tx) => {
      await tx.query('insert into orders (id) values ($1)', [id])
      await bus.publish(KeyedOrder, { ...order, id })
    })
  }
  const allHandled = async () => {
    while (handled < count) await new Promise<void>((resolve) => (arrived = resolve))
  }
  try {
    onProgress('w19: how much this machine can carry')
    const fromMs = performance.now()
    await sideBySide(calibrated, connections, sendOne)
    await allHandled()
    const perSecond = Math.max(1, Math.round((load * calibrated * 1_000) / (performance.now() - fromMs)))
    const before = shape()
    const rounds = noRounds(name)
    const sampler = setInterval(() => {
      rounds.values.push(process.memoryUsage.rss() / 1_048_576)
      onProgress(`w19: ${rounds.values.length} of ${seconds} s, ${perSecond} a second, ${count - handled} under way`)
    }, sampledMs)
    let failure: unknown
    const call = () => void sendOne().catch((error) => (failure ??= error))
    await openLoop({ perSecond, seconds, call })
    clearInterval(sampler)
    await allHandled()
    if (failure !== undefined) throw failure
    const after = shape()
    const ledger = new Ledger()
    for (const { id } of (await pool.query<{ id: string }>('select id from orders')).rows) ledger.sent(id)
    for (const { id } of (await pool.query<{ id: string }>('select id from effects')).rows) ledger.handled(id)
    rounds.duplicates = ledger.check('w19', count).duplicates
    const fifth = Math.max(1, Math.floor(rounds.values.length / 5))
    const [first, last] = [median(rounds.values.slice(0, fifth)), median(rounds.values.slice(-fifth))]
    rounds.facts = {
      'messages a second': perSecond,
      messages: count,
      'RSS drift %': (last / first - 1) * 100,
      'resources more': after.resources - before.resources,
      'listeners more': after.listeners - before.listeners,
    }
    return toResult(soak, 'RSS MB, sampled', [rounds])
  } finally {
    await bus.close()
    await drop()
  }

  function shape() {
    const listeners = [pool, process].flatMap((emitter) =>
      emitter.eventNames().map((event) => emitter.listenerCount(event as never)),
    )
    return {
      resources: process.getActiveResourcesInfo().length,
      listeners: listeners.reduce((sum, each) => sum + each, 0),
    }
  }
}
