import { crashPoint, evtError, type PartHealth, type RelayTarget, uuidv7, wholeNumber } from '@evt/core'
import { Deleter } from './deleter.ts'
import type {} from './errors.ts'
import type { Lease, OutboxRow, OutboxStore, Position } from './outbox-store.ts'

export interface RelayOptions {
  /** Rows read and published at once. Default 1,000. */
  readonly batch?: number | undefined
  /** How often the table is looked at without being woken. Default 1,000. */
  readonly pollMs?: number | undefined
  /** How long the lead lasts without renewal. Default 15,000. */
  readonly leaseMs?: number | undefined
  /** What happens to a row that the transport refuses. Default `park`: put aside, the key goes on. `block` holds the key. */
  readonly onRefused?: 'park' | 'block' | undefined
}
export interface Relay {
  /** Publishes what is due, then returns: for cron and serverless. */
  drain(options: {
    readonly budgetMs: number
    readonly signal?: AbortSignal | undefined
  }): Promise<{ readonly published: number; readonly remaining: number }>
  start(target: RelayTarget): void
  /** Says where `drain` publishes, without starting anything. */
  attach(target: RelayTarget): void
  stop(): Promise<void>
  /** Something was committed. */
  wake(): void
  health(): PartHealth
}
interface Burst {
  published: number
  blocked: Set<string>
  failed: boolean
}

/** Rows whose transport confirms only when handled are published one per call, so many at a time. */
const settledWindow = 512
export const relayOptionNames: readonly string[] = ['batch', 'pollMs', 'leaseMs', 'onRefused']

/**
 * Publishes committed rows in bursts: fix an upper position, read everything up to it from the start in order, publish,
 * stop a key at its first failure, delete what was accepted. Order needs no lease; the single lead avoids duplicates.
 */
export function createRelay(store: OutboxStore<never>, options: RelayOptions = {}): Relay {
  const batch = wholeNumber('relay.batch', options.batch, { min: 1, default: 1_000 })
  const pollMs = wholeNumber('relay.pollMs', options.pollMs, { min: 1, default: 1_000 })
  const leaseMs = wholeNumber('relay.leaseMs', options.leaseMs, { min: 100, default: 15_000 })
  const park = (options.onRefused ?? 'park') === 'park'
  const owner = uuidv7(Date.now())
  const deleter = new Deleter(async (positions) => {
    await store.delete(positions)
    crashPoint('outbox.deleted')
  })
  const inFlight = new Set<Position>()
  let windowFree: (() => void) | undefined
  let target: RelayTarget | undefined
  let stopping = false
  let woken = false
  let wakeUp: (() => void) | undefined
  let loop: Promise<void> | undefined
  let failing: unknown

  const report = (error: unknown) => {
    if (failing === undefined) target?.logger.warn({ outbox: store.name, error }, 'the relay failed')
    failing = error
  }
  const keyOf = (row: OutboxRow) =>
    row.message.key === undefined ? undefined : `${row.message.transport}\n${row.message.key}`
  const block = (burst: Burst, row: OutboxRow) => {
    burst.failed = true
    const key = keyOf(row)
    if (key !== undefined) burst.blocked.add(key)
  }
  const publishSettled = async (to: RelayTarget, burst: Burst, rows: readonly OutboxRow[]) => {
    for (const row of rows) {
      if (stopping || inFlight.has(row.position)) continue
      while (inFlight.size >= settledWindow && !stopping)
        await new Promise<void>((resolve) => {
          windowFree = resolve
        })
      if (stopping) return
      inFlight.add(row.position)
      void to.publish(row.message.transport, [row.message]).then((failures) => {
        inFlight.delete(row.position)
        if (failures.length === 0) {
          burst.published += 1
          crashPoint('outbox.published')
          deleter.add([row.position])
        } else report(failures[0]!.error)
        windowFree?.()
      })
    }
  }
  const publishRows = async (
    to: RelayTarget,
    lease: Lease,
    burst: Burst,
    transport: string,
    rows: readonly OutboxRow[],
  ) => {
    const supports = to.supports(transport)
    if (supports === undefined) {
      report(
        evtError(
          'EVT_TRANSPORT_UNKNOWN',
          `The outbox has rows for the transport "${transport}", which this bus does not have`,
          { transport, known: [] },
        ),
      )
      for (const row of rows) block(burst, row)
      return
    }
    if (supports.confirms === 'settled') return publishSettled(to, burst, rows)
    let rest = rows
    while (rest.length > 0) {
      // Where a batch may be accepted in parts, a key's second message may only follow once its first is known to be there.
      const now = supports.publishOrder === 'prefix' ? rest : firstOfEachKey(rest, keyOf)
      const chosen = new Set(now)
      rest = now === rest ? [] : rest.filter((row) => !chosen.has(row) && !burst.blocked.has(keyOf(row) ?? ''))
      const failures = new Map(
        (
          await to.publish(
            transport,
            now.map((row) => row.message),
          )
        ).map((failure) => [failure.index, failure]),
      )
      const accepted: Position[] = []
      const refused: { position: Position; reason: string }[] = []
      for (const [index, row] of now.entries()) {
        const failure = failures.get(index)
        if (failure === undefined) accepted.push(row.position)
        else if (failure.outcome === 'refused' && park)
          refused.push({
            position: row.position,
            reason: String((failure.error as Error)?.message ?? failure.error).slice(0, 2_048),
          })
        else {
          report(failure.error)
          block(burst, row)
        }
      }
      burst.published += accepted.length
      if (accepted.length > 0) {
        crashPoint('outbox.published')
        deleter.add(accepted)
      }
      if (refused.length > 0 && (await store.park(lease, refused))) {
        crashPoint('outbox.parked')
        target?.logger.error(
          { outbox: store.name, rows: refused.length, reason: refused[0]!.reason },
          'refused messages were put aside',
        )
      }
    }
  }
  const runBurst = async (to: RelayTarget, lease: Lease, untilMs: number): Promise<Burst> => {
    const burst: Burst = { published: 0, blocked: new Set(), failed: false }
    const upTo = await store.bound()
    if (upTo === null) return burst
    let after: Position | undefined
    let reading = store.read({ after, upTo, skipKeys: [], limit: batch })
    for (;;) {
      const rows = await reading
      if (rows.length === 0) break
      after = rows.at(-1)!.position
      const last = rows.length < batch
      // The next rows are read while these are published.
      if (!last) {
        reading = store.read({ after, upTo, skipKeys: [...burst.blocked], limit: batch })
        reading.catch(() => undefined)
      }
      const due = rows.filter(
        (row) => !inFlight.has(row.position) && !deleter.has(row.position) && !burst.blocked.has(keyOf(row) ?? ''),
      )
      for (const [transport, some] of byTransport(due)) await publishRows(to, lease, burst, transport, some)
      if (last || stopping || to.clock.monotonicMs() > untilMs) break
    }
    await deleter.drained()
    if (!burst.failed) failing = undefined
    return burst
  }
  const sleep = (delayMs: number) =>
    new Promise<void>((resolve) => {
      const timer = target!.clock.startTimer(resolve, delayMs)
      wakeUp = () => {
        timer.cancel()
        resolve()
      }
      if (woken || stopping) wakeUp()
    })
  const run = async (to: RelayTarget) => {
    let lease: Lease | null = null
    let leadUntilMs = 0
    let backOffMs = 0
    while (!stopping) {
      try {
        if (lease === null || to.clock.monotonicMs() > leadUntilMs - (leaseMs * 2) / 3) {
          const askedMs = to.clock.monotonicMs()
          lease = await store.lead(owner, leaseMs)
          leadUntilMs = askedMs + leaseMs
          if (lease !== null) crashPoint('outbox.led')
        }
        woken = false
        const burst = lease === null ? undefined : await runBurst(to, lease, leadUntilMs - leaseMs / 2)
        backOffMs = burst?.failed ? Math.min(10_000, Math.max(100, backOffMs * 2)) : 0
      } catch (error) {
        report(error)
        lease = null
        backOffMs = Math.min(10_000, Math.max(100, backOffMs * 2))
      }
      if (stopping) break
      if (backOffMs > 0) woken = false
      await sleep(backOffMs > 0 ? backOffMs : pollMs)
    }
    await deleter.drained().catch(report)
    if (lease !== null) await store.release(lease).catch(report)
  }
  return {
    start(to) {
      target = to
      stopping = false
      loop ??= run(to)
    },
    attach(to) {
      target = to
    },
    wake() {
      woken = true
      wakeUp?.()
    },
    async drain({ budgetMs, signal }) {
      if (target === undefined)
        throw evtError('EVT_OUTBOX_NOT_STARTED', 'The outbox belongs to no started bus yet: call bus.start() first', {
          outbox: store.name,
        })
      const untilMs = target.clock.monotonicMs() + budgetMs
      let published = 0
      for (;;) {
        const lease = await store.lead(owner, Math.max(leaseMs, budgetMs))
        if (lease === null || signal?.aborted) break
        const burst = await runBurst(target, lease, untilMs)
        published += burst.published
        if (burst.published === 0 || burst.failed || target.clock.monotonicMs() > untilMs) {
          await store.release(lease)
          break
        }
      }
      return { published, remaining: (await store.count()).waiting }
    },
    async stop() {
      stopping = true
      wakeUp?.()
      windowFree?.()
      await loop
      loop = undefined
    },
    health() {
      if (failing === undefined) return { name: `outbox:${store.name}`, status: 'healthy' }
      return {
        name: `outbox:${store.name}`,
        status: 'degraded',
        reason: failing instanceof Error ? failing.message : String(failing),
      }
    },
  }
}

function firstOfEachKey(
  rows: readonly OutboxRow[],
  keyOf: (row: OutboxRow) => string | undefined,
): readonly OutboxRow[] {
  const seen = new Set<string>()
  return rows.filter((row) => {
    const key = keyOf(row)
    if (key === undefined) return true
    if (seen.has(key)) return false
    seen.add(key)
    return true
  })
}

function byTransport(rows: readonly OutboxRow[]): ReadonlyMap<string, readonly OutboxRow[]> {
  const grouped = new Map<string, OutboxRow[]>()
  for (const row of rows) {
    const group = grouped.get(row.message.transport)
    if (group === undefined) grouped.set(row.message.transport, [row])
    else group.push(row)
  }
  return grouped
}
