import { memoryTransport, type Outgoing, type PublishFailure, type Transport } from '@evt/core'
import { duplicatingTransport } from '../src/duplicating-transport.ts'

const message = (id: string): Outgoing => ({ id, topic: 't', key: id, headers: {}, payload: Buffer.from(id) })
const batch = ['a', 'b', 'c'].map(message)

/** A transport that remembers what it was given and fails as told, by the place in what it was given. */
function recording(failAt: readonly number[] = []): { transport: Transport; given: string[] } {
  const given: string[] = []
  const transport: Transport = {
    ...memoryTransport(),
    async publish(messages) {
      given.push(...messages.map((each) => each.id))
      return failAt.map((index): PublishFailure => ({ index, outcome: 'unavailable', error: new Error(`${index}`) }))
    },
  }
  return { transport, given }
}

test('a copy follows right behind its message, so order stays', async () => {
  const { transport, given } = recording()
  expect(await duplicatingTransport(transport, 1).publish(batch)).toEqual([])
  expect(given).toEqual(['a', 'a', 'b', 'b', 'c', 'c'])
})

test('which messages are delivered twice follows from topic and key, about one in a hundred', async () => {
  const { transport, given } = recording()
  const many = Array.from({ length: 20_000 }, (_nothing, index) => message(`${index}`))
  await duplicatingTransport(transport).publish(many)
  expect((given.length - 20_000) / 20_000).toBeCloseTo(0.01, 2)
  const again = recording()
  await duplicatingTransport(again.transport).publish(many.map((each) => ({ ...each, id: `other ${each.id}` })))
  expect(again.given.map((id) => id.replace('other ', ''))).toEqual(given)
})

test('failures carry the place of the message in the batch, and a failed copy fails nothing', async () => {
  const failures = await duplicatingTransport(recording([3, 4, 5]).transport, 1).publish(batch)
  expect(failures.map((failure) => [failure.index, (failure.error as Error).message])).toEqual([[2, '4']])
})

test('what the transport supports is asked when it is needed, not when it is wrapped', () => {
  const { transport } = recording()
  let { supports } = transport
  const late = duplicatingTransport(Object.defineProperty({ ...transport }, 'supports', { get: () => supports }))
  supports = { ...supports, maxMessageBytes: 5 }
  expect(late.supports.maxMessageBytes).toBe(5)
})

test('both deliveries reach the consumer', async () => {
  const transport = duplicatingTransport(memoryTransport(), 1)
  const events = { revoking: async () => undefined, lost() {}, cut() {}, recreated() {} }
  const as = { group: 'g' }
  const spec = { topic: 't', consumer: 'g', as, from: 'earliest', ordered: 'none', leaseMs: 30_000 } as const
  const consumer = await transport.consume(spec, events)
  await transport.publish([message('a')])
  const read = await consumer.read({ messages: 10, bytes: 1_000 }, new AbortController().signal)
  expect(read.map((delivery) => Buffer.from(delivery.payload).toString())).toEqual(['a', 'a'])
  await consumer.close()
  await transport.close()
})
