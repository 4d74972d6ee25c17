import { createBus, defineEvent, memoryTransport, reject, silentLogger, type } from '@evt/core'
import { failing, recording } from '../src/index.ts'
import { consumeAs, outgoing, readSome } from './harness.ts'

test('what was accepted, delivered and settled is recorded in order', async () => {
  const Tick = defineEvent('tick', { schema: type<number>() })
  const transport = recording(memoryTransport())
  await using bus = createBus({ service: 'a', transport, logger: silentLogger })
  const subscription = await bus.subscribe(Tick, (tick) => (tick === 2 ? reject('two') : undefined), {
    group: 'g',
    concurrency: 1,
  })
  await bus.publishMany([Tick.of(1), Tick.of(2)])
  const { published, delivered, settled } = transport.recorded
  await subscription.close()
  expect(published.map(({ topic }) => topic)).toEqual(['evt.tick', 'evt.tick'])
  expect(delivered.map(({ consumer, delivery }) => [consumer, delivery.headers['ce-id']])).toEqual(
    published.map(({ id }) => ['a/g', id]),
  )
  expect(settled.map(({ settlement }) => settlement.as).sort()).toEqual(['ack', 'deadLetter'])
})

test('what had no effect is not recorded: a message that was not accepted, a settlement that was refused', async () => {
  const transport = recording(failing(memoryTransport(), { publish: { when: ({ id }) => id === 'bad' } }))
  const consumer = await consumeAs(transport, 'g')
  await transport.publish([outgoing('good'), outgoing('bad')])
  const [delivery] = await readSome(consumer, 1)
  await consumer.settle([{ delivery: delivery!, as: 'ack' }])
  expect(await consumer.settle([{ delivery: delivery!, as: 'ack' }])).toHaveLength(1)
  expect(transport.recorded.published.map(({ id }) => id)).toEqual(['good'])
  expect(transport.recorded.settled).toHaveLength(1)
})
