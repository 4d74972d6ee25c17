import { defineEvent, type EventDefinition, memoryTransport, type Transport, type } from '@evt/core'
import { type Blockade, blocking, createTestBus } from '../src/index.ts'
import { consumeAs, outgoing, readSome } from './harness.ts'

const Tick: EventDefinition<'tick', number> = defineEvent('tick', { schema: type<number>() })

function blockedBus(operation: 'publish' | 'settle') {
  let blockade!: Blockade
  const wrap = (inner: Transport) => {
    const transport = blocking(inner, [operation])
    blockade = transport
    return transport
  }
  return { bus: createTestBus({ wrap, deadlineMs: 60 }), blockade }
}

test('a publish waits until it is released; meanwhile settled names the message', async () => {
  const { bus, blockade } = blockedBus('publish')
  const publishing = bus.publish(Tick, 1, { id: 'm-1' })
  await expect(bus.settled()).rejects.toThrow('"tick" m-1 is still being published')
  expect([blockade.waiting('publish'), blockade.waiting('settle'), bus.published(Tick)]).toEqual([1, 0, []])
  blockade.release()
  await publishing
  await bus.settled()
  expect([blockade.waiting('publish'), bus.published(Tick)]).toEqual([0, [1]])
  await bus.close()
})

test('a settlement waits until it is released; meanwhile settled says that it is under way', async () => {
  const { bus, blockade } = blockedBus('settle')
  await bus.subscribe(Tick, () => {}, { group: 'g' })
  await bus.publish(Tick, 1)
  await expect(bus.settled()).rejects.toThrow('test/g has messages left: 1 being settled')
  expect(blockade.waiting('settle')).toBe(1)
  blockade.release('settle')
  await bus.settled()
  await bus.close()
})

test('what was released can be blocked again', async () => {
  const transport = blocking(memoryTransport())
  transport.release('publish')
  expect(await transport.publish([outgoing('1')])).toEqual([])
  transport.block('publish')
  const publishing = transport.publish([outgoing('2')])
  expect(transport.waiting('publish')).toBe(1)
  transport.release()
  expect(await publishing).toEqual([])
})

test('closing ends the wait: of a consumer for its own settlements, of the transport for publishes', async () => {
  const transport = blocking(memoryTransport(), ['settle'])
  const [first, second] = [await consumeAs(transport, 'a'), await consumeAs(transport, 'b')]
  await transport.publish([outgoing('1')])
  const settling = async (consumer: typeof first) => {
    const [delivery] = await readSome(consumer, 1)
    return consumer.settle([{ delivery: delivery!, as: 'ack' }])
  }
  const [ofFirst, ofSecond] = [settling(first), settling(second)]
  ofFirst.catch(() => undefined)
  while (transport.waiting('settle') < 2) await new Promise(setImmediate)
  await first.close()
  await expect(ofFirst).rejects.toMatchObject({ code: 'EVT_TRANSPORT_CLOSED' })
  transport.release()
  expect(await ofSecond).toEqual([])
  transport.block('publish')
  const publishing = transport.publish([outgoing('2')])
  publishing.catch(() => undefined)
  await transport.close()
  await expect(publishing).rejects.toMatchObject({ code: 'EVT_TRANSPORT_CLOSED' })
})

test('a bus whose settlements never come through closes at its deadline', async () => {
  const { bus } = blockedBus('settle')
  await bus.subscribe(Tick, () => {}, { group: 'g' })
  await bus.publish(Tick, 1)
  await bus.close()
  expect(bus.clock.monotonicMs()).toBeGreaterThanOrEqual(10_000)
})

test('an operation that cannot be blocked is refused', () => {
  expect(() => blocking(memoryTransport(), ['trim' as never])).toThrow(/expected one of publish, settle/)
})
