import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Bus, createBus, invalidOption, type Logger } from '@evt/core'
import { exactlyOnce } from '@evt/idempotency'
import type { PgTransaction } from '@evt/pg'
import { checkBooks, readBooks } from './books.ts'
import { openDatabase } from './database.ts'
import { duplicatingTransport } from './duplicating-transport.ts'
import { startEmbedded } from './embedded.ts'
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
import { deadOrders, unfinishedOrders } from './unfinished-orders.ts'

const maxOpenOrders = 128
const patienceMs = 60_000
const drainMs = 15_000

/** Runs the order system. Resolves to whether its books are clean; `signal` ends it early, drained. */
export async function runDemo(settings: DemoSettings, logger: Logger, signal: AbortSignal): Promise<boolean> {
  const cleanUp: (() => Promise<unknown>)[] = []
  try {
    return await run(settings, logger, signal, (step) => cleanUp.push(step))
  } finally {
    // One that fails must not keep the others from happening.
    for (const step of cleanUp.reverse())
      await step().catch((error: unknown) => logger.error({ error }, 'cleaning up failed'))
  }
}

async function run(
  settings: DemoSettings,
  logger: Logger,
  signal: AbortSignal,
  afterwards: (step: () => Promise<unknown>) => void,
): Promise<boolean> {
  const source = readLines(settings, signal)
  const folder = settings.data ?? (await mkdtemp(join(tmpdir(), 'evt-demo-')))
  if (settings.data !== undefined) await makeFolder(folder)
  else afterwards(() => rm(folder, { recursive: true, force: true }))
  let url = settings.addresses.EVT_PG_URL
  if (url === undefined) {
    const server = await startEmbedded(settings.data)
    afterwards(server.stop)
    url = server.url
  }
  const database = await openDatabase(url, logger)
  afterwards(database.close)
  const { outbox, inbox, deadLetters } = database
  const opened = await settings.openTransport(url)
  afterwards(opened.close)
  const audit = await auditLog(join(folder, 'audit.ndjson'))
  afterwards(audit.close)

  const open = new OpenOrders(await unfinishedOrders(database.pool, await deadOrders(deadLetters)), maxOpenOrders)
  let duplicates = 0
  const onDuplicate = () => {
    duplicates += 1
  }
  const once = exactlyOnce({ transactions: outbox, inbox, onDuplicate })
  const transport = duplicatingTransport(opened.transport)
  const bus = createBus<PgTransaction>({ service: 'orders', transport, outbox, deadLetters, logger })
  afterwards(() => bus.close({ deadlineMs: drainMs }))
  await bus.register(allEvents)
  const workers = [payment(once, open), inventory(once, open), shipping(once, open)]
  const subscriptions = await bus.subscribe(...workers, audit.subscription)

  let linesCounted = 0
  let interrupted = false
  const startedMs = performance.now()
  const progress = startProgress(
    () => `read ${linesCounted}, finished ${open.finished}, open ${open.size}, audited ${audit.lines}`,
  )
  try {
    const onCounted = (lines: number) => {
      linesCounted += lines
    }
    await takeIn({ source, outbox, bus, open, signal, onCounted })
    interrupted = signal.aborted
    if (settings.follow && !signal.aborted)
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
    await quiet(bus, outbox, open, signal)
  } finally {
    progress.stop()
  }
  const elapsedMs = performance.now() - startedMs
  const retried = subscriptions.reduce((sum, subscription) => sum + subscription.stats().retried, 0)
  await bus.close({ deadlineMs: drainMs })

  const books = await readBooks(database, source.name)
  const { finished, toShipped } = open
  const figures = { retried, duplicates, audited: audit.lines, finished, elapsedMs, toShipped }
  process.stdout.write(`\n${formatReport(books, figures)}\n\n`)
  const faults = checkBooks(books, { linesCounted, interrupted: interrupted || signal.aborted, open: open.size })
  for (const fault of faults) process.stdout.write(`WRONG  ${fault}\n`)
  if (faults.length > 0) return false
  process.stdout.write(`The books are clean${open.size > 0 ? `; ${open.size} orders go on next time` : ''}.\n`)
  return true
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true })
  } catch (error) {
    throw invalidOption('--data', `cannot use "${folder}": ${(error as Error).message}`)
  }
}

/** Waits until every order is finished and the outbox is empty, as long as something moves. */
async function quiet(
  bus: Bus<PgTransaction>,
  outbox: { count(): Promise<{ readonly waiting: number }> },
  open: OpenOrders,
  signal: AbortSignal,
): Promise<void> {
  let last = ''
  let movedMs = performance.now()
  for (;;) {
    const { waiting } = await outbox.count()
    if (open.size === 0 && waiting === 0) return
    const now = `${open.finished} ${waiting}`
    if (now !== last) movedMs = performance.now()
    last = now
    const limitMs = signal.aborted ? drainMs : patienceMs
    if (performance.now() - movedMs > limitMs) {
      const { parts } = await bus.health()
      const states = parts.map((part) => `${part.name} is ${part.status}`).join(', ')
      process.stdout.write(`Nothing moved for ${limitMs} ms: ${states}\n`)
      return
    }
    await delay(50)
  }
}
