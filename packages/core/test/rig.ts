import {
  type Bus,
  createBus,
  type DeadLetters,
  defineEvent,
  type EventDefinition,
  type EvtError,
  isEvtError,
  type MemoryTransport,
  type MemoryTransportOptions,
  memoryTransport,
  type SingleTransportOptions,
  silentLogger,
  type Transport,
  type TransportDelivery,
  type,
  writeHeaders,
} from '../src/index.ts'
import { type VirtualClock, virtualClock } from './virtual-clock.ts'

export interface Numbered {
  readonly n: number
  readonly key?: string | undefined
}
export const Tick: EventDefinition<'rig.tick', Numbered> = defineEvent('rig.tick', { schema: type<Numbered>() })
export const Keyed: EventDefinition<'rig.keyed', Numbered> = defineEvent('rig.keyed', {
  schema: type<Numbered>(),
  key: (numbered) => numbered.key ?? 'k',
})
export const Tock: EventDefinition<'rig.tock', Numbered> = defineEvent('rig.tock', { schema: type<Numbered>() })

/** Gaps of exactly 100, 200, 400 … milliseconds. */
export const steady = { attempts: 3, backoff: { minMs: 100, jitter: false } } as const

/** A bus over the memory transport on a clock that only the test moves, with every reported failure. */
export interface Rig extends AsyncDisposable {
  readonly clock: VirtualClock
  readonly transport: MemoryTransport
  readonly bus: Bus
  readonly reports: { readonly error: unknown; readonly during: string }[]
}
export interface RigOptions {
  readonly memory?: MemoryTransportOptions | undefined
  readonly bus?: Partial<SingleTransportOptions<never>> | undefined
  /** Puts something around the memory transport. */
  readonly wrap?: ((transport: MemoryTransport) => Transport) | undefined
}

export function makeRig({ memory, bus: options, wrap = (transport) => transport }: RigOptions = {}): Rig {
  const clock = virtualClock()
  const transport = memoryTransport({ clock, ...memory })
  const reports: Rig['reports'] = []
  const bus = createBus({
    service: 'rig',
    transport: wrap(transport),
    clock,
    random: () => 0.5,
    logger: silentLogger,
    onError: (error, during) => void reports.push({ error, during }),
    ...options,
  })
  return {
    clock,
    transport,
    bus,
    reports,
    async [Symbol.asyncDispose]() {
      const closing = bus.close({ deadlineMs: 0 })
      await clock.advance(60_000)
      await closing
    },
  }
}

/** A promise that the test keeps when it likes. */
export interface Door {
  readonly opened: Promise<void>
  open(): void
}
export function door(): Door {
  let open: () => void = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open: () => open() }
}

export function range(count: number): number[] {
  return Array.from({ length: count }, (_value, index) => index)
}

/** The error that work ends with; a test that expects one fails when there is none. */
export async function failureOf(work: () => unknown): Promise<EvtError> {
  try {
    await work()
  } catch (error) {
    if (isEvtError(error)) return error
    throw new Error(`not an error of this library: ${String(error)}`, { cause: error })
  }
  throw new Error('expected an error')
}

/** Puts a message on a topic as somebody else's program would, headers and all. */
export async function smuggle(
  transport: Transport,
  topic: string,
  headers: Readonly<Record<string, string>>,
  payload: string | Uint8Array = '{"n":1}',
): Promise<void> {
  const legal = writeHeaders(
    {
      id: 'foreign-1',
      type: topic.slice('evt.'.length),
      source: '/foreign',
      time: '2026-01-01T00:00:00.000Z',
      contentType: 'application/json',
      version: 1,
      key: undefined,
      subject: undefined,
      correlationId: undefined,
      causationId: undefined,
    },
    undefined,
    undefined,
  )
  const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload
  await transport.publish([
    { id: 'foreign-1', topic, key: undefined, headers: { ...legal, ...headers }, payload: bytes },
  ])
}

/** A dead-letter store as its `append` says. */
export function deadLetterStore(append: DeadLetters['append']): DeadLetters {
  return { name: 'store', append, blockedKeys: async () => [] }
}

/** A transport whose deliveries are read with something else in them, such as `suspect`. */
export function readAs(
  change: (delivery: TransportDelivery) => Partial<TransportDelivery>,
): (transport: Transport) => Transport {
  return (transport) => ({
    ...transport,
    async consume(spec, events) {
      const consumer = await transport.consume(spec, events)
      return {
        ...consumer,
        read: async (room, signal) =>
          (await consumer.read(room, signal)).map((delivery) => Object.assign(delivery, change(delivery))),
      }
    },
  })
}
