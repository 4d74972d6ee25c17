import {
  checkKnown,
  evtError,
  invalidOption,
  type PartHealth,
  type RelayTarget,
  type Timer,
  uuidv7,
  wholeNumber,
} from '@evt/core'
import { Courier } from './courier.ts'
import type {} from './errors.ts'
import { LeadKeeper } from './lead-keeper.ts'
import type { OutboxStore, Position } from './outbox-store.ts'
import { silence } from './silence.ts'

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
export interface DrainOptions {
  readonly budgetMs: number
  readonly signal?: AbortSignal | undefined
}
export interface Relay {
  /**
   * Publishes what is due, then returns: for cron and serverless. No call begins after the budget; one under way is awaited,
   * after an abort for half a second at most. Nothing is published while another relay leads.
   */
  drain(options: DrainOptions): Promise<{ readonly published: number; readonly remaining: number }>
  start(target: RelayTarget): void
  /** Says where `drain` publishes, without starting anything. */
  attach(target: RelayTarget): void
  stop(): Promise<void>
  /** Something was committed. True where this relay leads, so that no other one need be told. */
  wake(): boolean
  health(): PartHealth
}

const longestBackOffMs = 10_000
const abortGraceMs = 500

/**
 * Publishes committed rows in bursts: fix an upper position, read everything up to it from the start in order, publish,
 * stop a key at its first failure, delete what was accepted. Order needs no lease; the single lead avoids duplicates.
 */
export function createRelay(store: OutboxStore<never>, options: RelayOptions = {}): Relay {
  checkKnown('relay', options, ['batch', 'pollMs', 'leaseMs', 'onRefused'])
  const batch = wholeNumber('relay.batch', options.batch, { min: 1, default: 1_000 })
  const pollMs = wholeNumber('relay.pollMs', options.pollMs, { min: 1, default: 1_000 })
  const leaseMs = wholeNumber('relay.leaseMs', options.leaseMs, { min: 100, default: 15_000 })
  const onRefused = options.onRefused ?? 'park'
  if (onRefused !== 'park' && onRefused !== 'block')
    throw invalidOption('relay.onRefused', "expected 'park' or 'block'")
  const owner = uuidv7(Date.now())
  let target: RelayTarget | undefined
  let lead: LeadKeeper | undefined
  let couriers: readonly Courier[] = []
  let stopping = false
  let woken = false
  let wakeUp: (() => void) | undefined
  let loop: Promise<void> | undefined
  let draining: Promise<unknown> = Promise.resolve()
  let failing: unknown
  /** When the look under way began, monotonic. */
  let lookedMs: number | undefined
  let unmoved: Position | null = null
  let stranger: string | undefined

  const attach = (to: RelayTarget): LeadKeeper => {
    if (target === to && lead !== undefined) return lead
    target = to
    const keeper = new LeadKeeper({ store, clock: to.clock, owner, leaseMs })
    couriers = to.transports.map((transport) => {
      const supports = to.supports(transport)!
      const onReady = () => {
        if (woken) wakeUp?.()
      }
      return new Courier({
        ...{ store, transport, supports, target: to, batch, onRefused, onReady },
        lead: () => keeper.lease,
      })
    })
    lead = keeper
    return keeper
  }
  const report = (error: unknown) => {
    if (failing === undefined) target?.logger.warn({ outbox: store.name, err: error }, 'the relay failed')
    failing = error
  }
  const anyReady = () => couriers.some((courier) => courier.isReady)
  const dispatch = (bound: Position) => {
    for (const courier of couriers) courier.run(bound)
  }
  /** Rows whose transport this bus does not have are nobody's work; they are looked for where nothing else moves. */
  const lookForStrangers = async (bound: Position | null) => {
    const isUnmoved = bound !== null && bound === unmoved
    unmoved = bound
    if (!isUnmoved) {
      if (bound === null) stranger = undefined
      return
    }
    const noneOf = couriers.map((courier) => courier.transport)
    const range = { transport: { noneOf }, after: undefined, upTo: bound, skipKeys: [], limit: 1, maxBytes: 1 }
    const [row] = await store.read(range)
    const found = row === undefined ? undefined : (row.message?.transport ?? 'unreadable')
    if (found !== undefined && found !== stranger) {
      target!.logger.error({ outbox: store.name, transport: found }, 'the outbox has rows for an unknown transport')
    }
    stranger = found
  }
  const look = async (keeper: LeadKeeper, isPoll: boolean) => {
    let bound: Position | null | undefined
    if (keeper.isDue) bound = await keeper.renew()
    else if (anyReady()) bound = await store.bound()
    if (keeper.lease === undefined) return
    if (bound !== undefined && bound !== null) dispatch(bound)
    if (isPoll && bound !== undefined) await lookForStrangers(bound)
  }
  const sleep = (delayMs: number) =>
    new Promise<boolean>((resolve) => {
      const timer = target!.clock.startTimer(() => resolve(true), delayMs)
      wakeUp = () => {
        timer.cancel()
        resolve(false)
      }
      if (stopping || (woken && anyReady())) wakeUp()
    })
  const run = async (to: RelayTarget, keeper: LeadKeeper) => {
    let backOffMs = 0
    let isPoll = true
    for (const transport of to.transports) {
      const { durability, confirms } = to.supports(transport)!
      // A row is deleted once its message was accepted; a transport that keeps nothing would lose it then.
      if (durability === 'broker' || confirms === 'settled') continue
      to.logger.warn({ outbox: store.name, transport }, 'the transport may lose what the outbox has handed over to it')
    }
    await store.probe().then(({ durability }) => {
      if (durability === 'relaxed')
        to.logger.warn({ outbox: store.name }, 'a crash of the database may lose what it has committed')
    }, report)
    while (!stopping) {
      // Being woken counts until it has been looked: while every courier is busy it has not.
      if (keeper.isDue || anyReady()) woken = false
      try {
        lookedMs = to.clock.monotonicMs()
        await look(keeper, isPoll)
        backOffMs = 0
        failing = undefined
      } catch (error) {
        report(error)
        backOffMs = Math.min(longestBackOffMs, Math.max(100, backOffMs * 2))
      }
      lookedMs = undefined
      if (stopping) break
      // A relay that does not lead, or whose store is down, has no use for being woken.
      if (backOffMs > 0 || keeper.lease === undefined) woken = false
      isPoll = await sleep(backOffMs > 0 ? backOffMs : Math.min(pollMs, Math.ceil(leaseMs / 3)))
    }
  }
  const drainOnce = async (drainOptions: DrainOptions) => {
    checkKnown('drain', drainOptions, ['budgetMs', 'signal'])
    const { budgetMs, signal } = drainOptions
    if (!(Number.isFinite(budgetMs) && budgetMs >= 0))
      throw invalidOption('budgetMs', 'expected milliseconds, 0 or more')
    if (target === undefined || lead === undefined) {
      throw evtError('EVT_OUTBOX_NOT_STARTED', 'The outbox belongs to no started bus yet: call bus.start() first', {
        outbox: store.name,
      })
    }
    const keeper = lead
    const isAlone = loop === undefined
    const { clock } = target
    const untilMs = clock.monotonicMs() + budgetMs
    const isOver = () => signal?.aborted === true || clock.monotonicMs() >= untilMs
    const nudge = () => {
      for (const courier of couriers) courier.nudge()
    }
    const count = () => couriers.reduce((sum, courier) => sum + courier.published, 0)
    const before = count()
    if (isAlone) {
      for (const courier of couriers) courier.resume()
      keeper.endsWhen(isOver)
    }
    const timer = clock.startTimer(nudge, budgetMs)
    let grace: Timer | undefined
    /** A call under way at the end is awaited, so that what it publishes is deleted; after an abort not for ever. */
    const end = async () => {
      let isPatient = true
      grace = clock.startTimer(() => {
        isPatient = false
        nudge()
      }, abortGraceMs)
      await Promise.all(couriers.map((courier) => courier.stop(() => signal?.aborted === true && !isPatient)))
      await keeper.release()
    }
    signal?.addEventListener('abort', nudge, { once: true })
    try {
      for (let last = -1; !isOver() && count() > last; ) {
        last = count()
        const bound = await keeper.renew()
        if (bound === null || keeper.lease === undefined) break
        dispatch(bound)
        await Promise.all(couriers.map((courier) => courier.quiet(isOver)))
      }
      if (isAlone) await end()
    } catch (error) {
      // What the store failed with is what matters; that it also could not be left may follow from it.
      if (isAlone) await end().catch(() => undefined)
      throw error
    } finally {
      timer.cancel()
      grace?.cancel()
      signal?.removeEventListener('abort', nudge)
      if (isAlone) keeper.endsWhen(undefined)
    }
    return { published: count() - before, remaining: (await store.count()).waiting }
  }
  return {
    start(to) {
      if (loop !== undefined && to !== target) {
        // Its couriers would take the place of those that the loop knows, and nothing would be published any more.
        const text = `The outbox "${store.name}" belongs to another bus already: give each bus one of its own`
        throw evtError('EVT_OUTBOX_SHARED', text, { outbox: store.name })
      }
      const keeper = attach(to)
      stopping = false
      for (const courier of couriers) courier.resume()
      loop ??= run(to, keeper)
    },
    attach,
    wake() {
      const leads = loop !== undefined && lead?.lease !== undefined
      woken = true
      if (leads && anyReady()) wakeUp?.()
      return leads
    },
    drain(drainOptions) {
      const drained = draining.then(() => drainOnce(drainOptions))
      draining = drained.catch(() => undefined)
      return drained
    },
    async stop() {
      stopping = true
      wakeUp?.()
      await loop
      loop = undefined
      await Promise.all(couriers.map((courier) => courier.stop().catch(report)))
      await lead?.release().catch(report)
    },
    health() {
      const name = `outbox:${store.name}`
      const ownFailure = failing ?? (target && silence('the store', lookedMs, target.clock))
      const found = ownFailure ?? couriers.map((courier) => courier.failing).find((failure) => failure !== undefined)
      if (found !== undefined) {
        return { name, status: 'degraded', reason: found instanceof Error ? found.message : String(found) }
      }
      if (stranger === undefined) return { name, status: 'healthy' }
      return { name, status: 'degraded', reason: `it has rows for the transport "${stranger}", which this bus lacks` }
    },
  }
}
