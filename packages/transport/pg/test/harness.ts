import {
  type Consumer,
  type ConsumerEvents,
  type ConsumeSpec,
  type Outgoing,
  type Transport,
  type TransportDelivery,
  uuidv7,
} from '@evt/core'

export const topic = 'evt.test'
/** How long "nothing more arrives" is watched. */
export const quietMs = 150
const ignored: ConsumerEvents = { revoking: async () => {}, lost() {}, cut() {}, recreated() {} }

export function message(text: string, key?: string, name = topic): Outgoing {
  const id = uuidv7(Date.now())
  return { id, topic: name, key, headers: { 'ce-id': id }, payload: Buffer.from(text) }
}
export function textOf(delivery: TransportDelivery): string {
  return Buffer.from(delivery.payload).toString()
}
export function consume(
  transport: Transport,
  group: string,
  spec: Partial<ConsumeSpec> = {},
  events: Partial<ConsumerEvents> = {},
): Promise<Consumer> {
  const consumer = `test/${group}`
  return transport.consume(
    { topic, consumer, as: { group: consumer }, from: 'earliest', ordered: 'none', leaseMs: 30_000, ...spec },
    { ...ignored, ...events },
  )
}
/** Reads and acknowledges until so many have come or the deadline has passed. */
export async function drain(consumer: Consumer, count: number, deadlineMs = 10_000): Promise<string[]> {
  const read: string[] = []
  const signal = AbortSignal.timeout(deadlineMs)
  while (read.length < count && !signal.aborted) {
    const batch = await consumer.read({ messages: count - read.length, bytes: 1_000_000 }, signal)
    await consumer.settle(batch.map((delivery) => ({ delivery, as: 'ack' })))
    read.push(...batch.map(textOf))
  }
  return read
}
export async function until(condition: () => boolean | Promise<boolean>, deadlineMs = 15_000): Promise<void> {
  const endMs = Date.now() + deadlineMs
  while (!(await condition())) {
    if (Date.now() > endMs) throw new Error('the condition did not come true')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
export function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  )
}
