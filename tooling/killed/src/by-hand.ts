import type { Consumer, ConsumerEvents, Outgoing, Transport, TransportDelivery } from '@evt/core'

/** A transport used by hand, without a bus around it. */
export const topic = 'evt.killed.raw'

const ignored: ConsumerEvents = { revoking: async () => {}, lost() {}, cut() {}, recreated() {} }
const consumer = 'test/a'

export function joinGroup(transport: Transport, leaseMs: number): Promise<Consumer> {
  return transport.consume(
    { topic, consumer, as: { group: consumer }, from: 'earliest', ordered: 'none', leaseMs },
    ignored,
  )
}
export function outgoing(n: number): Outgoing {
  const text = String(n)
  return { id: text, topic, key: undefined, headers: { 'ce-id': text }, payload: Buffer.from(text) }
}
export function numberOf({ payload }: TransportDelivery): number {
  return Number(Buffer.from(payload).toString())
}
/** Reads until so many have come; less only where the deadline has passed. */
export async function readSome(
  group: Consumer,
  count: number,
  deadlineMs: number,
  onRead: (batch: readonly TransportDelivery[]) => Promise<void> = async () => {},
): Promise<TransportDelivery[]> {
  const read: TransportDelivery[] = []
  const signal = AbortSignal.timeout(deadlineMs)
  while (read.length < count && !signal.aborted) {
    const batch = await group.read({ messages: count - read.length, bytes: 1_000_000 }, signal)
    read.push(...batch)
    await onRead(batch)
  }
  return read
}
