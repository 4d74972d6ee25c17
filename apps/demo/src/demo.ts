import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Bus, createBus, type Logger, memoryTransport } from '@evt/core'
import { type PgDlqStore, pgDlqStore } from '@evt/dlq-pg'
import { exactlyOnce } from '@evt/idempotency'
import { pgInbox } from '@evt/idempotency-pg'
import { type PgOutbox, pgOutbox } from '@evt/outbox-pg'
import { migrate, type PgTransaction, readMigrations } from '@evt/pg'
import { startPostgres } from '@evt/servers/postgres'
import pg from 'pg'
import { checkBooks, deadOrders, readBooks } from './books.ts'
import { duplicatingTransport } from './duplicating-transport.ts'
import { allEvents } from './events.ts'
import { takeIn } from './intake.ts'
import { OpenOrders } from './open-orders.ts'
import { startProgress } from './progress.ts'
import { readLines } from './read-lines.ts'
import { formatReport } from './report.ts'
import { auditLog } from './services/audit.ts'
import { inventory } from './services/inventory.ts'
import { payment } from './services/payment.ts'
import { shipping } from './services/shipping.ts'
import type { DemoSettings } from './settings.ts'

const maxOpenOrders = 256
const connections = 48
const patienceMs = 60_000
const drainMs = 15_000

/** Runs the order system. Resolves to whether its books are clean; `signal` ends it early, drained. */
export async function runDemo(settings: DemoSettings, logger: Logger, signal: AbortSignal): Promise<boolean> {
  const cleanUp: (() => Promise<unknown>)[] = []
  try {
    const source = readLines(settings, signal)
    const folder = settings.data ?? (await mkdtemp(join(tmpdir(), 'evt-demo-')))
    if (settings.data === undefined) cleanUp.push(() => rm(folder, { recursive: true, force: true }))
    let url = settings.databaseUrl
    if (url === undefined) {
      const server = await startPostgres(settings.data === undefined ? {} : { folder })
      cleanUp.push(() => server.stop())
      url = server.url
    }
    const pool = new pg.Pool({ connectionString: url, max: connections })
    pool.on('error', (error) => logger.warn({ error }, 'an idle connection was lost'))
    cleanUp.push(() => pool.end())

    const outbox = pgOutbox({ pool })
    const inbox = pgInbox({ pool })
    const deadLetters = pgDlqStore({ pool })
    await Promise.all([outbox.migrate(), inbox.migrate(), deadLetters.migrate()])
    const migrations = readMigrations(import.meta.url)
    await migrate({ pool, name: 'demo', schema: 'demo', migrations, identifiers: {} })

    const open = new OpenOrders(await unfinished(pool, deadLetters), maxOpenOrders)
    const audit = await auditLog(join(folder, 'audit.ndjson'))
    cleanUp.push(() => audit.close())
    let duplicates = 0
    const once = exactlyOnce({
      transactions: outbox,
      inbox,
      onDuplicate: () => {
        duplicates += 1
      },
    })
    const transport = duplicatingTransport(memoryTransport({ confirm: 'settled' }))
    const bus = createBus<PgTransaction>({ service: 'orders', transport, outbox, deadLetters, logger })
    cleanUp.push(() => bus.close({ deadlineMs: drainMs }))
    await bus.register(allEvents)
    const finish = (id: string) => open.finish(id)
    const subscriptions = await bus.subscribe(
      payment(once, finish),
      inventory(once, finish),
      shipping(once, finish),
      audit.subscription,
    )

    let linesRead = 0
    const startedMs = performance.now()
    const progress = startProgress(
      () => `read ${linesRead}, finished ${open.finished}, open ${open.size}, audited ${audit.lines}`,
    )
    let exhausted = false
    try {
      await takeIn({ source, pool, pg: outbox, bus, open, signal, onRead: () => (linesRead += 1) })
      exhausted = !signal.aborted
      if (settings.follow && exhausted) await new Promise((resolve) => signal.addEventListener('abort', resolve))
      await quiet(bus, outbox, open, signal.aborted ? drainMs : patienceMs)
    } finally {
      progress.stop()
    }
    const elapsedMs = performance.now() - startedMs
    const stats = subscriptions.map((subscription) => subscription.stats())
    await bus.close({ deadlineMs: drainMs })
    const books = await readBooks(pool, source.name, deadLetters, outbox)
    const retried = stats.reduce((sum, each) => sum + each.retried, 0)
    const figures = { retried, duplicates, audited: audit.lines, finished: open.finished, elapsedMs }
    process.stdout.write(`\n${formatReport(books, figures)}\n\n`)
    const faults = checkBooks(books, { linesRead: exhausted ? linesRead : books.lines, open: open.size })
    for (const fault of faults) process.stdout.write(`WRONG  ${fault}\n`)
    if (faults.length === 0)
      process.stdout.write(`The books are clean${open.size > 0 ? `; ${open.size} orders go on next time` : ''}.\n`)
    return faults.length === 0
  } finally {
    for (const step of cleanUp.reverse()) await step()
  }
}

/** Orders that an earlier run accepted and did not finish. */
async function unfinished(pool: pg.Pool, deadLetters: PgDlqStore): Promise<readonly string[]> {
  const dead = await deadOrders(deadLetters)
  const { rows } = await pool.query<{ id: string }>(
    `select id from demo.orders where not exists
       (select from demo.effects where order_id = id and kind in ('shipment', 'cancellation'))`,
  )
  return rows.map((row) => row.id).filter((id) => !dead.has(id))
}

/** Waits until every order is finished and the outbox is empty, as long as something moves. */
async function quiet(bus: Bus<PgTransaction>, outbox: PgOutbox, open: OpenOrders, limitMs: number): Promise<void> {
  let last = ''
  let movedMs = performance.now()
  for (;;) {
    const { waiting } = await outbox.count()
    if (open.size === 0 && waiting === 0) return
    const now = `${open.finished} ${waiting}`
    if (now !== last) movedMs = performance.now()
    last = now
    if (performance.now() - movedMs > limitMs) {
      const { status, parts } = await bus.health()
      process.stdout.write(`Nothing moved for ${limitMs} ms; health is ${status}: ${JSON.stringify(parts)}\n`)
      return
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
