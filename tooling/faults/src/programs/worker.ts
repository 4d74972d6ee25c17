/** Handles messages exactly once, with or without the relay beside it, and misbehaves as it is told. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { type Bus, createBus, type Delivery, type Logger, on, onBatch, silentLogger } from '@evt/core'
import { exactlyOnce, idempotency } from '@evt/idempotency'
import type { PgTransaction } from '@evt/pg'
import { duplicating, reordering } from '@evt/testing'
import { stageOf } from '../stages.ts'
import { allFormats } from './codecs.ts'
import { createEffects } from './effects.ts'
import { ownMetadata } from './envelope.ts'
import { Keyed, type Payload, Plain } from './messages.ts'
import { watchOutstanding } from './outstanding.ts'
import { watchPeaks } from './peaks.ts'
import { readProgram, report } from './report.ts'
import type { WorkerProgram } from './specification.ts'
import { createStall } from './stall.ts'
import { openStore, skewedClock } from './store.ts'
import { throwEvery, throwingLogger, throwingMiddleware } from './throwing.ts'

const program = readProgram<WorkerProgram>()
const { relayLeaseMs = 1_000, relayPollMs = 100, groups = ['work'], concurrency = 16, throwing = false } = program
const stage = stageOf(program.stage)
const clock = skewedClock(program.clockSkewMs)
const relay = program.relay ? { leaseMs: relayLeaseMs, pollMs: relayPollMs, batch: 200 } : false
const store = openStore(program, relay)
const peaks = watchPeaks(program, stage.connections)
const opened = await stage.open(program.brokerUrl, clock, { onMissing: program.onMissing })

// A seeded bug is part of what is watched.
const watched = watchOutstanding(store.bug.transport?.(opened.transport) ?? opened.transport)
const { disorder } = program
const transport =
  disorder === undefined
    ? watched.transport
    : reordering(duplicating(watched.transport, { share: disorder.share, seed: program.seed }), {
        window: disorder.window,
        seed: program.seed,
      })
const tell = (fields: object, text = '') => {
  const { err: error, during, what } = fields as { err?: unknown; during?: string; what?: string }
  const about = error instanceof Error ? error.message : String(error ?? what ?? '')
  report({ kind: 'error', during: during ?? text, text: about })
}
const logger: Logger = throwing ? throwingLogger() : { ...silentLogger, warn: tell, error: tell }
process.on('unhandledRejection', (reason) => {
  report({ kind: 'error', during: 'unhandled rejection', text: String(reason) })
  process.exit(70)
})

const bus: Bus<PgTransaction> = createBus<PgTransaction>({
  service: 'faults',
  namespace: program.namespace,
  transport,
  outbox: store.outbox,
  deadLetters: program.brokerLetters === true ? undefined : store.deadLetters,
  logger,
  clock,
  codecs: program.codecs === true ? (await allFormats()).map(({ codec }) => codec) : [],
  use: throwing ? [throwingMiddleware()] : [],
  ...(throwing ? { onError: throwEvery(1) } : {}),
})
const effects = createEffects(program)
const stall = createStall()
const once = exactlyOnce<PgTransaction>({ transactions: store.transactions, inbox: store.inbox })
const event = program.keyed === false ? Plain : Keyed
const options = {
  concurrency,
  prefetch: program.prefetch,
  leaseMs: program.leaseMs,
  holdMs: program.holdMs,
  circuit: program.circuit,
  retry: {
    attempts: program.attempts ?? 5,
    backoff: { minMs: program.backoffMs ?? 20, factor: 1, jitter: false },
    ...(throwing ? { classify: classifier() } : {}),
  },
  ...(throwing ? { filter: filter(), onDeadLetter: throwEvery(1) } : {}),
}
for (const group of groups) {
  if (program.batch === true || program.bulk === true) {
    const effect = program.bulk === true ? effects.handleBulk : effects.handleBatch
    const handle = once.batch<(typeof event)['name'], Payload>(effect)
    const maxItems = program.bulk === true ? 200 : 20
    await bus.subscribe(onBatch(event, handle, { group, ...options, batch: { maxItems, lingerMs: 5 } }))
  } else {
    const handle = once<(typeof event)['name'], Payload>(effects.handle)
    const take = async (payload: Payload, delivery: Delivery<(typeof event)['name'], Payload>) => {
      report({ kind: 'taken', message: delivery.id, consumer: delivery.consumer })
      const strange = Object.keys(delivery.metadata).filter((name) => name !== ownMetadata)
      if (strange.length > 0) report({ kind: 'error', during: 'metadata', text: strange.join(', ') })
      await stall.over
      return handle(payload, delivery)
    }
    await bus.subscribe(on(event, take, { group, ...options }))
  }
}
if (program.claims === true) {
  const claims = idempotency({ store: store.claims, leaseMs: 1_000 })
  const handle = (payload: Payload, delivery: Delivery<(typeof event)['name'], Payload>) =>
    store.transactions.run((transaction) => effects.handle(payload, delivery, transaction))
  await bus.subscribe(event, handle, { group: 'claims', ...options, use: [claims] })
}
await bus.start()
report({ kind: 'ready' })

const ticks = monitorEventLoopDelay({ resolution: 10 })
ticks.enable()
process.once('SIGTERM', () => report({ kind: 'closing' }))
process.on('SIGUSR2', peaks.tell)
process.on('SIGHUP', stall.toggle)
await bus.run({ deadlineMs: program.closeDeadlineMs ?? 10_000 })
await opened.close()
await store.close()
const polluted = 'polluted' in {} ? 1 : 0
const { mostRunning } = effects
report({
  kind: 'closed',
  figures: { outstanding: watched.most, mostRunning, polluted, longestTickMs: ticks.max / 1e6 },
})

function classifier(): () => undefined {
  const strike = throwEvery(3)
  return () => strike() as undefined
}
function filter(): () => boolean {
  const strike = throwEvery(41)
  return () => {
    strike()
    return true
  }
}
