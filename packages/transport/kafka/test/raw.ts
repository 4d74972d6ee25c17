import type { Consumer, ConsumerEvents, ConsumeSpec, Outgoing, Transport, TransportDelivery } from '@evt/core'

/** A transport used by hand, without a bus around it. */
export const topic = 'evt.raw'

const silent: ConsumerEvents = { revoking: async () => {}, lost() {}, cut() {}, recreated() {} }

export function consumeAs(
  transport: Transport,
  group: string,
  spec: Partial<ConsumeSpec> = {},
  events: Partial<ConsumerEvents> = {},
): Promise<Consumer> {
  const consumer = `test/${group}`
  const all: ConsumeSpec = {
    topic,
    consumer,
    as: { group: consumer },
    from: 'earliest',
    ordered: 'none',
    leaseMs: 30_000,
    ...spec,
  }
  return transport.consume(all, { ...silent, ...events })
}

export function outgoing(n: number, key?: string, headers: Record<string, string> = {}): Outgoing {
  const text = String(n)
  return { id: text, topic, key, headers: { 'ce-id': text, ...headers }, payload: Buffer.from(text) }
}

export function numberOf(delivery: TransportDelivery): number {
  return Number(Buffer.from(delivery.payload).toString())
}

export async function readSome(consumer: Consumer, count: number, deadlineMs = 15_000): Promise<TransportDelivery[]> {
  const read: TransportDelivery[] = []
  const signal = AbortSignal.timeout(deadlineMs)
  while (read.length < count && !signal.aborted) {
    read.push(...(await consumer.read({ messages: count - read.length, bytes: 10_000_000 }, signal)))
  }
  return read
}

export async function eventually(condition: () => boolean | Promise<boolean>, promise: string): Promise<void> {
  const endMs = performance.now() + 30_000
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`broken promise: ${promise}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

export function range(count: number): number[] {
  return Array.from({ length: count }, (_value, index) => index)
}

export const acks = (deliveries: readonly TransportDelivery[]) =>
  deliveries.map((delivery) => ({ delivery, as: 'ack' as const }))
