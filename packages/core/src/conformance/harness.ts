import type { Bus } from '../bus/bus.ts'
import { createBus } from '../bus/create-bus.ts'
import type { DeadLetters } from '../dead-letters.ts'
import { writeHeaders } from '../envelope.ts'
import { defineEvent, type EventDefinition } from '../event.ts'
import { silentLogger } from '../logger.ts'
import { type } from '../standard-schema.ts'
import type { Consumer, ConsumerEvents, ConsumeSpec, Outgoing, Transport, TransportDelivery } from '../transport.ts'
import { uuidv7 } from '../uuid.ts'

/** What an adapter's test hands to the suite. */
export interface TransportFactory {
  /** A fresh transport that sees nothing of earlier ones. */
  create(): Promise<Transport>
  /** Another client of the same place, as a second process would be; left out where the place is the transport itself. */
  join?(transport: Transport): Promise<Transport>
  /** Restarts the server that transports of `create` use, and resolves when it is up; left out where none is at hand. */
  restart?(): Promise<void>
  /** Removes what the transport left behind. */
  dispose?(transport: Transport): Promise<void>
}

export interface Numbered {
  readonly n: number
  readonly key?: string | undefined
}
export const Tick: EventDefinition<'suite.tick', Numbered> = defineEvent('suite.tick', { schema: type<Numbered>() })
export const Keyed: EventDefinition<'suite.keyed', Numbered> = defineEvent('suite.keyed', {
  schema: type<Numbered>(),
  key: (tick) => tick.key ?? 'k',
})
/** Events of their own topics. */
export function ticks(count: number): readonly EventDefinition<string, Numbered>[] {
  return range(count).map((n) => defineEvent(`suite.tick${n}` as string, { schema: type<Numbered>() }))
}
export const quickRetry = { attempts: 3, backoff: { minMs: 20, maxMs: 20, jitter: false } } as const

/** Runs work with a fresh bus and closes everything afterwards. */
export async function withBus(
  factory: TransportFactory,
  work: (bus: Bus, transport: Transport) => Promise<void>,
): Promise<void> {
  const transport = await factory.create()
  const bus = busOver(transport)
  try {
    await work(bus, transport)
  } finally {
    await bus.close({ deadlineMs: 2_000 })
    await factory.dispose?.(transport)
  }
}

export function busOver(transport: Transport): Bus {
  const deadLetters = transport.supports.deadLetters === 'none' ? forgottenDeadLetters : undefined
  // A broker on a busy machine takes its time over the many topics of the larger cases.
  const publishTimeoutMs = 30_000
  return createBus({ service: 'suite', transport, publishTimeoutMs, logger: silentLogger, onError() {}, deadLetters })
}
/** What a bus needs over a transport that keeps no dead letters itself. */
const forgottenDeadLetters: DeadLetters = {
  name: 'forgotten',
  append: async () => {},
  blockedKeys: async () => [],
}

/** Runs work with two buses of one place, as in two processes; not at all where a place cannot be joined. */
export async function withTwoBuses(
  factory: TransportFactory,
  work: (first: Bus, second: Bus, transport: Transport) => Promise<void>,
): Promise<void> {
  const { join } = factory
  if (join === undefined) return
  await withBus(factory, async (first, transport) => {
    const second = busOver(await join(transport))
    try {
      await work(first, second, transport)
    } finally {
      await second.close({ deadlineMs: 2_000 })
    }
  })
}

/** Whether a promise rejects. */
export function refused(work: Promise<unknown>): Promise<boolean> {
  return work.then(
    () => false,
    () => true,
  )
}

/** Runs work with an open transport that has one topic. */
export async function withTransport(
  factory: TransportFactory,
  work: (transport: Transport) => Promise<void>,
): Promise<void> {
  const transport = await factory.create()
  try {
    await transport.open()
    await transport.declare({ name: topic, partitions: undefined })
    await work(transport)
  } finally {
    await transport.close()
    await factory.dispose?.(transport)
  }
}

export const topic = 'evt.suite.raw'
const ignored: ConsumerEvents = { revoking: async () => {}, lost() {}, cut() {}, recreated() {} }

export function consumeAs(transport: Transport, group: string, spec: Partial<ConsumeSpec> = {}): Promise<Consumer> {
  return transport.consume(
    {
      topic,
      consumer: `suite/${group}`,
      as: { group: `suite/${group}` },
      from: transport.supports.starts.includes('earliest') ? 'earliest' : 'latest',
      ordered: 'none',
      leaseMs: 30_000,
      ...spec,
    },
    ignored,
  )
}

/** A message of the raw topic. */
export function outgoing(text: string, key?: string): Outgoing {
  const id = uuidv7(Date.now())
  const headers = writeHeaders(
    {
      id,
      type: 'suite.raw',
      source: '/suite',
      time: new Date().toISOString(),
      contentType: 'application/json',
      version: 1,
      key,
      subject: undefined,
      correlationId: undefined,
      causationId: undefined,
    },
    { note: `ü ${text}` },
    undefined,
  )
  return { id, topic, key, headers, payload: Buffer.from(JSON.stringify(text)) }
}

/** Publishes; where that resolves with the last settlement only, it does not wait for it. */
export async function send(transport: Transport, batch: readonly Outgoing[]): Promise<void> {
  const publishing = transport.publish(batch)
  if (transport.supports.confirms === 'accepted') await publishing
}

export function textOf(delivery: TransportDelivery): string {
  return JSON.parse(Buffer.from(delivery.payload).toString('utf8')) as string
}

/** Reads until so many deliveries have come, or the deadline has passed. */
export async function readSome(consumer: Consumer, count: number, deadlineMs = 5_000): Promise<TransportDelivery[]> {
  const read: TransportDelivery[] = []
  const signal = AbortSignal.timeout(deadlineMs)
  while (read.length < count && !signal.aborted) {
    read.push(...(await consumer.read({ messages: count - read.length, bytes: 1_000_000 }, signal)))
  }
  return read
}

export function range(count: number): number[] {
  return Array.from({ length: count }, (_value, index) => index)
}
