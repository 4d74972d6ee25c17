import type { Consumer, ConsumerEvents, ConsumeSpec, Outgoing, Transport, TransportDelivery } from '@evt/core'
import { type FreshPrefix, redis } from '@evt/servers'
import { Redis } from 'ioredis'
import { type RedisTransportOptions, redisTransport } from '../src/index.ts'

export const topic = 'evt.test.raw'

/** Transports on one server under one prefix, and every connection they were given. */
export interface TestPlace {
  readonly client: Redis
  /** A key of the topic, as it stands on the server. */
  key(name: string): string
  connect(address?: string): Redis
  transport(options?: Partial<RedisTransportOptions>): Promise<Transport>
  close(): void
}

export function testPlace(url: string, prefix: string): TestPlace {
  const clients: Redis[] = []
  const connect = (address = url) => {
    const client = new Redis(address)
    // Servers and connections are ended on purpose; whoever waits for an answer is told.
    client.on('error', () => undefined)
    clients.push(client)
    // Readers of a test that failed would keep the run from ending.
    const { duplicate } = client
    client.duplicate = (...options) => {
      const copy = duplicate.apply(client, options)
      clients.push(copy)
      return copy
    }
    return client
  }
  return {
    client: connect(),
    key: (name) => `${prefix}:{${topic}}:${name}`,
    connect,
    async transport(options = {}) {
      const transport = redisTransport({ client: connect(), prefix, ...options })
      await transport.open()
      await transport.declare({ name: topic, partitions: undefined })
      return transport
    },
    close() {
      // One that has ended already would be waited for once more.
      for (const client of clients) if (client.status !== 'end') client.disconnect()
    },
  }
}

/** Such a place for each test of a file, under a prefix of its own. */
export function freshPlace(): TestPlace & { readonly url: string; readonly prefix: string } {
  let fresh: FreshPrefix
  let place: TestPlace
  beforeEach(async () => {
    fresh = await redis.fresh()
    place = testPlace(fresh.url, fresh.prefix)
  })
  afterEach(async () => {
    place.close()
    await fresh.drop()
  })
  return {
    get client() {
      return place.client
    },
    get url() {
      return fresh.url
    },
    get prefix() {
      return fresh.prefix
    },
    key: (name) => place.key(name),
    connect: (address) => place.connect(address),
    transport: (options) => place.transport(options),
    close: () => place.close(),
  }
}

/** A consumer with what it told. */
export interface ToldConsumer extends Consumer {
  readonly cuts: (number | null)[]
  readonly recreated: string[]
  readonly lost: Error[]
}

export async function consumeAs(
  transport: Transport,
  group: string,
  spec: Partial<ConsumeSpec> = {},
): Promise<ToldConsumer> {
  const cuts: (number | null)[] = []
  const recreated: string[] = []
  const lost: Error[] = []
  const events: ConsumerEvents = {
    revoking: async () => undefined,
    lost: (_partitions, cause) => void lost.push(cause),
    cut: (count) => void cuts.push(count),
    recreated: (what) => void recreated.push(what),
  }
  const as = { group: `test/${group}` }
  const whole = { topic, consumer: `test/${group}`, as, from: 'earliest', ordered: 'none', leaseMs: 30_000 } as const
  return { ...(await transport.consume({ ...whole, ...spec }, events)), cuts, recreated, lost }
}

export function message(text: string, key?: string): Outgoing {
  const headers: Record<string, string> = Object.assign(Object.create(null), { 'ce-id': text })
  if (key !== undefined) headers['ce-partitionkey'] = key
  return { id: text, topic, key, headers, payload: Buffer.from(text) }
}

export function textOf(delivery: TransportDelivery): string {
  return Buffer.from(delivery.payload).toString()
}

export function range(count: number): number[] {
  return Array.from({ length: count }, (_value, index) => index)
}

/** Publishes numbered messages; fails where one of them was not accepted. */
export async function publish(transport: Transport, count: number, from = 0): Promise<void> {
  const failures = await transport.publish(range(count).map((n) => message(String(from + n))))
  if (failures.length > 0) throw failures[0]!.error
}

/** Reads until so many have come; less only where the deadline has passed. */
export async function readSome(consumer: Consumer, count: number, deadlineMs = 10_000): Promise<TransportDelivery[]> {
  const read: TransportDelivery[] = []
  const signal = AbortSignal.timeout(deadlineMs)
  while (read.length < count && !signal.aborted) {
    read.push(...(await consumer.read({ messages: count - read.length, bytes: 1_000_000 }, signal)))
  }
  return read
}

export async function acknowledge(consumer: Consumer, deliveries: readonly TransportDelivery[]): Promise<number> {
  return (await consumer.settle(deliveries.map((delivery) => ({ delivery, as: 'ack' as const })))).length
}

/** Waits for a condition; fails with what was expected where it does not come true within ten seconds. */
export async function eventually(condition: () => boolean | Promise<boolean>, expected: string): Promise<void> {
  const endMs = performance.now() + 10_000
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`not within 10 s: ${expected}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** How long "nothing arrives" is watched. */
export const quietMs = 150
