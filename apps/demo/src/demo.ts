import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBus, invalidOption, type Logger } from '@evt/core'
import { exactlyOnce } from '@evt/idempotency'
import type { PgTransaction } from '@evt/pg'
import { checkBooks, type RunFacts, readBooks } from './books.ts'
import { type Database, openDatabase } from './database.ts'
import { duplicatingOutbox } from './duplicating-outbox.ts'
import { duplicatingTransport } from './duplicating-transport.ts'
import { startEmbedded } from './embedded.ts'
import { allEvents } from './events.ts'
import { takeIn } from './intake.ts'
import { OpenOrders } from './open-orders.ts'
import { startProgress } from './progress.ts'
import { untilQuiet } from './quiet.ts'
import { readLines } from './read-lines.ts'
import { formatReport, type RunFigures } from './report.ts'
import { auditLog } from './services/audit.ts'
import { serviceNames, workersOf } from './services.ts'
import type { DemoSettings } from './settings.ts'
import { deadOrders, unfinishedOrders } from './unfinished-orders.ts'
import { watchOrders } from './watch-orders.ts'

const maxOpenOrders = 128
const drainMs = 15_000
/** After a kill others wait so long for what the dead process held. */
const leaseMs = 5_000
/** How often the database is asked for ended orders, where services of other processes end them and where only ours do. */
const watchMs = { split: 100, whole: 1_000 }
/** Longer than any retry takes. */
const lostAfterMs = 5_000

/** Runs the order system. Resolves to whether its books are clean; `signal` ends it early, drained. */
export async function runDemo(settings: DemoSettings, logger: Logger, signal: AbortSignal): Promise<boolean> {
  const cleanUp: (() => Promise<unknown>)[] = []
  try {
    return await run(settings, logger, signal, (step) => cleanUp.push(step))
  } finally {
    // One that fails must not keep the others from happening.
    for (const step of cleanUp.reverse())
      await step().catch((error: unknown) => logger.error({ err: error }, 'cleaning up failed'))
  }
}

async function run(
  settings: DemoSettings,
  logger: Logger,
  signal: AbortSignal,
  afterwards: (step: () => Promise<unknown>) => void,
): Promise<boolean> {
  const { services } = settings
  const split = services.size < serviceNames.length
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
  const { inbox, deadLetters, place } = database
  const opened = await settings.openTransport(database)
  afterwards(opened.close)
  const audit = await auditLog(join(folder, 'audit.ndjson'))
  afterwards(audit.close)

  const open = new OpenOrders(await unfinishedOrders(database.pool, await deadOrders(deadLetters)), maxOpenOrders)
  let duplicates = 0
  const onDuplicate = () => {
    duplicates += 1
  }
  const transport = duplicatingTransport(opened.transport)
  const outbox = opened.outbox === undefined ? database.outbox : duplicatingOutbox(opened.outbox)
  const once = exactlyOnce({ transactions: outbox, inbox, onDuplicate })
  const bus = createBus<PgTransaction>({
    service: 'orders',
    namespace: place,
    transport,
    outbox,
    deadLetters,
    logger,
    defaults: { leaseMs },
  })
  afterwards(() => bus.close({ deadlineMs: drainMs }))
  await bus.register(allEvents)
  const definitions = [...workersOf(services, once, open), ...(services.has('audit') ? [audit.subscription] : [])]
  const subscriptions = definitions.length === 0 ? [] : await bus.subscribe(...definitions)
  const retried = () => subscriptions.reduce((sum, subscription) => sum + subscription.stats().retried, 0)
  if (!services.has('intake')) {
    process.stdout.write(`${[...services].join(', ')} at work\n`)
    await untilAborted(signal)
    const served = `retried ${retried()}, duplicates suppressed ${duplicates}, audited ${audit.lines}`
    await bus.close({ deadlineMs: drainMs })
    process.stdout.write(`${served}\n`)
    return true
  }

  const lossy = transport.supports.durability === 'none'
  const watching = new AbortController()
  const watch = watchOrders({
    database,
    open,
    everyMs: split ? watchMs.split : watchMs.whole,
    lostAfterMs: lossy ? lostAfterMs : undefined,
    signal: watching.signal,
  })
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
    if (settings.follow && !signal.aborted) await untilAborted(signal)
    await untilQuiet({ bus, database, open, drainMs, signal })
  } finally {
    progress.stop()
    watching.abort()
    await watch
  }
  const elapsedMs = performance.now() - startedMs
  const figures = { retried: retried(), duplicates, elapsedMs, finished: open.finished, toShipped: open.toShipped }
  await bus.close({ deadlineMs: drainMs })
  const facts = { linesCounted, interrupted: interrupted || signal.aborted, open: open.size, lossy }
  return balance(database, source.name, facts, { ...figures, audited: audit.lines })
}

/** Reports what the database holds and whether it adds up. */
async function balance(database: Database, source: string, facts: RunFacts, figures: RunFigures): Promise<boolean> {
  const books = await readBooks(database, source)
  process.stdout.write(`\n${formatReport(books, figures, facts.lossy)}\n\n`)
  const faults = checkBooks(books, facts)
  for (const fault of faults) process.stdout.write(`WRONG  ${fault}\n`)
  if (faults.length > 0) return false
  const rest = books.open === 0 ? '' : `; ${books.open} orders ${facts.lossy ? 'were lost' : 'go on next time'}`
  process.stdout.write(`The books are clean${rest}.\n`)
  return true
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true })
  } catch (error) {
    throw invalidOption('--data', `cannot use "${folder}": ${(error as Error).message}`)
  }
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
}
