import { defineEvent, type EventDefinition, isEvtError, memoryTransport, type } from '@evt/core'
import { createTestBus, failing, recording, wrapTransport } from '../src/index.ts'
import { consumeAs, outgoing, readSome } from './harness.ts'

const Tick: EventDefinition<'tick', number> = defineEvent('tick', { schema: type<number>() })
const failed = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  )

for (const [outcome, code] of [
  ['refused', 'EVT_PUBLISH_REFUSED'],
  ['unavailable', 'EVT_PUBLISH_UNAVAILABLE'],
  ['unknown', 'EVT_PUBLISH_UNKNOWN'],
] as const) {
  test(`a publish that is made to be ${outcome} rejects with ${code}, as often as asked for`, async () => {
    await using bus = createTestBus({ wrap: (transport) => failing(transport, { publish: { outcome, times: 2 } }) })
    expect(await failed(bus.publish(Tick, 1))).toMatchObject({ code, cause: { code: 'EVT_TESTING_FAULT' } })
    expect(await failed(bus.publish(Tick, 2))).toMatchObject({ code })
    await bus.publish(Tick, 3)
    // Where the outcome was unknown the message is there: the answer got lost, not the message.
    expect(bus.published(Tick)).toEqual(outcome === 'unknown' ? [1, 2, 3] : [3])
  })
}

test('in a batch that is accepted in order, what comes behind a failure is not handed over', async () => {
  const inner = recording(memoryTransport())
  const transport = failing(inner, { publish: { when: ({ id }) => id === 'b', outcome: 'refused' } })
  const failures = await transport.publish(['a', 'b', 'c'].map((id) => outgoing(id)))
  expect(failures.map(({ index, outcome }) => [index, outcome])).toEqual([
    [1, 'refused'],
    [2, 'unavailable'],
  ])
  expect(inner.recorded.published.map(({ id }) => id)).toEqual(['a'])
})

test('in a batch that is accepted in parts only those fail that are meant to, beside the transport’s own failures', async () => {
  const error = new Error('own')
  const memory = memoryTransport()
  const independent = wrapTransport(memory, {
    supports: { ...memory.supports, publishOrder: 'independent' },
    publish: async (batch) =>
      batch.flatMap(({ id }, index) => (id === 'd' ? [{ index, outcome: 'refused', error }] : [])),
  })
  const transport = failing(independent, { publish: { when: ({ id }) => id === 'b' } })
  const failures = await transport.publish(['a', 'b', 'c', 'd'].map((id) => outgoing(id)))
  expect(failures.map(({ index, outcome }) => [index, outcome])).toEqual([
    [1, 'unavailable'],
    [3, 'refused'],
  ])
})

test('reads, settlements and renewals fail by count and by predicate, and lose nothing', async () => {
  const transport = failing(memoryTransport(), {
    read: { times: 1, when: (consumer) => consumer === 'g' },
    settle: { times: 1, when: ({ as }) => as === 'ack' },
    extend: { times: 1 },
  })
  const consumer = await consumeAs(transport, 'g')
  await transport.publish([outgoing('1')])
  const isFault = (error: unknown) => isEvtError(error, 'EVT_TESTING_FAULT')
  expect(isFault(await failed(readSome(consumer, 1)))).toBe(true)
  const [delivery] = await readSome(consumer, 1)
  expect(isFault(await failed(consumer.extend([delivery!])))).toBe(true)
  expect(await consumer.extend([delivery!])).toEqual([])
  expect(isFault(await failed(consumer.settle([{ delivery: delivery!, as: 'ack' }])))).toBe(true)
  expect(await consumer.settle([{ delivery: delivery!, as: 'ack' }])).toEqual([])
})

test('a bus whose reads and settlements fail for a while handles every message once all the same', async () => {
  const seen: number[] = []
  await using bus = createTestBus({
    wrap: (transport) => failing(transport, { read: { times: 3 }, settle: { times: 3 } }),
  })
  await bus.subscribe(Tick, (tick) => void seen.push(tick), { group: 'g', concurrency: 1 })
  await bus.publishMany([1, 2, 3].map((tick) => Tick.of(tick)))
  await bus.settled()
  expect(seen).toEqual([1, 2, 3])
})

test('an outcome and an operation that do not exist are refused', () => {
  expect(() => failing(memoryTransport(), { publish: { outcome: 'lost' as never } })).toThrow(/outcome/)
  expect(() => failing(memoryTransport(), { trim: {} } as never)).toThrow(/no option "trim"/)
  expect(() => failing(memoryTransport(), { read: { often: 2 } } as never)).toThrow(/no option "often"/)
})
