import type {
  Consumer,
  ConsumerEvents,
  ConsumeSpec,
  EventDefinition,
  Outgoing,
  Transport,
  TransportDelivery,
} from '@evt/core'
import { defineEvent, type, uuidv7, writeHeaders } from '@evt/core'
import type { FreshPrefix, TestServer } from '@evt/servers'
import { connect, type NatsConnection } from 'nats'
import { type JetstreamTransportOptions, jetstreamTransport } from '../src/index.ts'

export const topic = 'evt.order.created'
/** How long "nothing more arrives" is watched. */
export const quietMs = 300

export function client(servers: string): Promise<NatsConnection> {
  return connect({ servers, maxReconnectAttempts: -1, reconnectTimeWait: 20 })
}
/** A prefix of its own for each test of a `describe`, with a connection to look at what is there. */
export function jetstreamPlace(server: Pick<TestServer<FreshPrefix, object>, 'fresh'>): {
  readonly at: { readonly prefix: string; readonly connection: NatsConnection }
  open(options?: Partial<JetstreamTransportOptions>): Promise<Transport>
  stream(): string
} {
  let place: FreshPrefix
  let connection: NatsConnection
  beforeEach(async () => {
    place = await server.fresh()
    connection = await client(place.url)
  })
  afterEach(async () => {
    await connection.close()
    await place.drop()
  })
  return {
    at: {
      get prefix() {
        return place.prefix
      },
      get connection() {
        return connection
      },
    },
    async open(options = {}) {
      const transport = jetstreamTransport({ connection, prefix: place.prefix, answerTimeoutMs: 1_000, ...options })
      await transport.open()
      return transport
    },
    stream: () => `${place.prefix}_evt_order_created`,
  }
}
export function outgoing(text: string, name: string = topic): Outgoing {
  const id = uuidv7(Date.now())
  const headers = writeHeaders(
    {
      id,
      type: 'order.created',
      source: '/test',
      time: new Date(0).toISOString(),
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
  return { id, topic: name, key: undefined, headers, payload: Buffer.from(text) }
}
export function specOf(group: string, spec: Partial<ConsumeSpec> = {}): ConsumeSpec {
  return {
    topic,
    consumer: `test/${group}`,
    as: { group: `test/${group}` },
    from: 'earliest',
    ordered: 'none',
    leaseMs: 30_000,
    ...spec,
  }
}
/** What a consumer told without being asked. */
export function listener(): ConsumerEvents & { readonly cuts: [number | null, string][]; readonly made: string[] } {
  const cuts: [number | null, string][] = []
  const made: string[] = []
  return {
    cuts,
    made,
    revoking: async () => {},
    lost() {},
    cut: (count, reason) => void cuts.push([count, reason]),
    recreated: (what) => void made.push(what),
  }
}
export async function readSome(consumer: Consumer, count: number, deadlineMs = 8_000): Promise<TransportDelivery[]> {
  const read: TransportDelivery[] = []
  const signal = AbortSignal.timeout(deadlineMs)
  while (read.length < count && !signal.aborted) {
    try {
      read.push(...(await consumer.read({ messages: count - read.length, bytes: 1_000_000 }, signal)))
    } catch (error) {
      if ((error as { retryable?: boolean }).retryable !== true) throw error
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  return read
}
/** Does something at a named place between two durable actions, until the function returned is called. */
export function atCrashPoint(wanted: string, run: () => void): () => void {
  const registry = globalThis as { [holder: symbol]: ((name: string) => void) | undefined }
  const holder = Symbol.for('evt.crashPoint')
  registry[holder] = (name) => {
    if (name === wanted) run()
  }
  return () => {
    registry[holder] = undefined
  }
}
export function textOf({ payload }: TransportDelivery): string {
  return Buffer.from(payload).toString('utf8')
}
export function acks(deliveries: readonly TransportDelivery[]): { delivery: TransportDelivery; as: 'ack' }[] {
  return deliveries.map((delivery) => ({ delivery, as: 'ack' }))
}
export async function eventually(condition: () => Promise<boolean>, what: string, deadlineMs = 10_000): Promise<void> {
  const endMs = performance.now() + deadlineMs
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`${what}, not within ${deadlineMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

export const Numbered: EventDefinition<'order.created', { n: number }> = defineEvent('order.created', {
  schema: type<{ n: number }>(),
})
export function range(length: number): number[] {
  return Array.from({ length }, (_each, n) => n)
}
