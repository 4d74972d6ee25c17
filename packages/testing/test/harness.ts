import type { Consumer, ConsumeSpec, Outgoing, Transport, TransportDelivery } from '@evt/core'

export const topic = 'evt.test'

/** A raw message of the topic. */
export function outgoing(id: string, key?: string): Outgoing {
  return { id, topic, key, headers: {}, payload: Buffer.from(id) }
}

export function textOf(delivery: TransportDelivery): string {
  return Buffer.from(delivery.payload).toString('utf8')
}

export function consumeAs(transport: Transport, group: string, spec: Partial<ConsumeSpec> = {}): Promise<Consumer> {
  return transport.consume(
    { topic, consumer: group, as: { group }, from: 'earliest', ordered: 'none', leaseMs: 30_000, ...spec },
    { revoking: async () => {}, lost() {}, cut() {}, recreated() {} },
  )
}

/** Reads until so many deliveries have come. */
export async function readSome(consumer: Consumer, count: number): Promise<TransportDelivery[]> {
  const read: TransportDelivery[] = []
  const signal = AbortSignal.timeout(5_000)
  while (read.length < count && !signal.aborted)
    read.push(...(await consumer.read({ messages: count - read.length, bytes: 1_000_000 }, signal)))
  return read
}

export function ids(count: number, prefix = ''): string[] {
  return Array.from({ length: count }, (_value, index) => `${prefix}${index}`)
}
