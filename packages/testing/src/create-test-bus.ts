import {
  type AnyEvent,
  checkFunction,
  checkKnown,
  createBus,
  evtError,
  invalidOption,
  memoryTransport,
  type PayloadOf,
  type Subscription,
  silentLogger,
  systemClock,
  type Transport,
  wholeNumber,
} from '@evt/core'
import { delegate } from './delegate.ts'
import { driveClose } from './drive-close.ts'
import { duplicating } from './duplicating.ts'
import type {} from './errors.ts'
import { turn, withinReal } from './event-loop.ts'
import { checkSeed, checkShare } from './fault-options.ts'
import { keepDeadLetters } from './kept-dead-letters.ts'
import { createLedger } from './ledger.ts'
import { describeOutstanding, lookAt } from './outstanding.ts'
import { reordering } from './reordering.ts'
import { seededRandom } from './seeded-random.ts'
import { settle } from './settle.ts'
import type { TestBus, TestBusOptions, TestFaults } from './test-bus.ts'
import { createTracker } from './tracker.ts'
import { givenOrNewClock } from './virtual-clock.ts'

const own = [
  'service',
  'subscriptions',
  'faults',
  'clock',
  'wrap',
  'outbox',
  'deadLetters',
  'use',
  'deadlineMs',
] as const
const passedOn = [
  'namespace',
  'outsideTransaction',
  'codecs',
  'defaults',
  'publishTimeoutMs',
  'maxPayloadBytes',
  'logger',
  'onError',
  'random',
] as const

/** Makes a bus for one test. Everything about it is the real thing except the clock. Close it, or declare it with `await using`. */
export function createTestBus<Transaction = never>(options: TestBusOptions<Transaction> = {}): TestBus<Transaction> {
  checkKnown('createTestBus', options, [...own, ...passedOn])
  const faults = options.faults ?? {}
  checkKnown('faults', faults, ['duplicate', 'reorder', 'seed'])
  // By the names that were written, before duplicating and reordering look at them under their own.
  if (faults.duplicate !== undefined) checkShare('faults.duplicate', faults.duplicate)
  wholeNumber('faults.reorder', faults.reorder, { min: 1, default: 1 })
  const seed = checkSeed(faults.seed)
  for (const list of ['subscriptions', 'use'] as const)
    if (options[list] !== undefined && !Array.isArray(options[list])) throw invalidOption(list, 'expected a list')
  const deadlineMs = wholeNumber('deadlineMs', options.deadlineMs, { min: 1, default: 3_000 })
  if (options.outbox !== undefined) checkFunction('outbox.count', options.outbox.count)
  const clock = givenOrNewClock(options.clock)
  const { background } = clock['~clock']
  const tracker = createTracker()
  const ledger = createLedger(memoryTransport({ clock: background }))
  const letters = keepDeadLetters(options.deadLetters, tracker)
  const bus = createBus<Transaction>({
    logger: silentLogger,
    random: seededRandom(seed),
    ...Object.fromEntries(passedOn.filter((name) => options[name] !== undefined).map((name) => [name, options[name]])),
    service: options.service ?? 'test',
    transport: withFaults(options.wrap?.(ledger.transport) ?? ledger.transport, faults, seed),
    outbox: options.outbox,
    deadLetters: letters,
    use: [tracker.middleware, ...(options.use ?? [])],
    clock: background,
  })
  const subscriptions = new Set<Subscription>()
  const keep = <Started extends Subscription | readonly Subscription[]>(started: Started): Started => {
    for (const each of [started].flat() as Subscription[]) subscriptions.add(each)
    return started
  }
  let readying: Promise<void> | undefined
  const ready = () => {
    readying ??= (async () => {
      if (options.subscriptions !== undefined) keep(await bus.subscribe(...options.subscriptions))
    })().catch((error: unknown) => {
      readying = undefined
      throw error
    })
    return readying
  }
  const look = () => lookAt(tracker, ledger, subscriptions, async () => (await options.outbox?.count())?.waiting ?? 0)
  const arrived = (event: AnyEvent) =>
    [...ledger.accepted].flatMap((id) => {
      const draft = tracker.drafts.get(id)
      return draft?.type === event.name ? [draft] : []
    })
  const answered = new Set<string>()
  const untilPublished = async (event: AnyEvent, match: (payload: never) => boolean, gaveUp: AbortSignal) => {
    while (!gaveUp.aborted) {
      const found = arrived(event).find((draft) => !answered.has(draft.id) && match(draft.payload as never))
      if (found !== undefined) {
        answered.add(found.id)
        return found
      }
      await new Promise<void>((resolve) => {
        const stop = ledger.onAccepted(() => {
          stop()
          resolve()
        })
      })
    }
    return undefined
  }
  let closing: Promise<void> | undefined
  const close: TestBus['close'] = (closeOptions = {}) => {
    closing ??= (async () => {
      // What was fired before waits for it.
      if (readying !== undefined)
        await withinReal(
          readying.catch(() => undefined),
          deadlineMs,
        )
      const isBusy = () => tracker.running.size + tracker.publishing.size > 0
      await driveClose(clock, bus.close(closeOptions), isBusy)
    })()
    return closing
  }
  const whenReady =
    <Parameters extends readonly unknown[], Result>(call: (...parameters: Parameters) => Promise<Result>) =>
    async (...parameters: Parameters): Promise<Result> => {
      await ready()
      return call(...parameters)
    }
  return delegate(bus, {
    clock,
    publish: whenReady(bus.publish) as typeof bus.publish,
    publishMany: whenReady(bus.publishMany),
    register: whenReady(bus.register),
    start: whenReady(bus.start),
    run: whenReady(bus.run),
    subscribe: (async (...parameters: never) => {
      await ready()
      const subscribe = bus.subscribe as (...given: never) => Promise<Subscription | readonly Subscription[]>
      return keep(await subscribe(...parameters))
    }) as typeof bus.subscribe,
    fire: ((event, payload, publishOptions) => {
      ready().then(
        () => bus.fire(event, payload, publishOptions),
        (error: unknown) => options.onError?.(error, 'fire'),
      )
    }) as typeof bus.fire,
    settled: (async (settledOptions = {}) => {
      checkKnown('settled', settledOptions, ['withinMs', 'deadlineMs'])
      const limits = {
        withinMs: wholeNumber('withinMs', settledOptions.withinMs, { min: 0, default: Number.MAX_SAFE_INTEGER }),
        deadlineMs: wholeNumber('deadlineMs', settledOptions.deadlineMs, { min: 1, default: deadlineMs }),
      }
      await ready()
      await settle(clock, look, limits)
    }) satisfies TestBus['settled'],
    published: <E extends AnyEvent>(event: E) => arrived(event).map((draft) => draft.payload as PayloadOf<E>),
    rejected: letters.of,
    next: async <E extends AnyEvent>(event: E, match: (payload: PayloadOf<E>) => boolean = () => true) => {
      checkFunction('match', match)
      await ready()
      const gaveUp = new AbortController()
      const found = await withinReal(untilPublished(event, match, gaveUp.signal), deadlineMs)
      gaveUp.abort()
      if (found !== undefined) return found.payload as PayloadOf<E>
      const stuck = describeOutstanding(await look())
      const left = stuck.length === 0 ? 'nothing is left to do' : stuck.join('; ')
      const text = `No "${event.name}" that matches was published within ${deadlineMs} ms: ${left}`
      throw evtError('EVT_TESTING_NOT_PUBLISHED', text, { event: event.name, deadlineMs, stuck })
    },
    close,
    [Symbol.asyncDispose]: () => close(),
  })
}

function withFaults(transport: Transport, faults: TestFaults, seed: number): Transport {
  let faulty = transport
  if (faults.duplicate !== undefined) faulty = duplicating(faulty, { share: faults.duplicate, seed })
  if (faults.reorder !== undefined) faulty = reordering(faulty, { window: faults.reorder, seed, clock: nextTurn })
  return faulty
}

/** Gathering a window waits for what the process has to say, never for time. */
const nextTurn = {
  ...systemClock,
  startTimer(run: () => void) {
    let cancelled = false
    void turn().then(() => {
      if (!cancelled) run()
    })
    return {
      cancel() {
        cancelled = true
      },
    }
  },
}
