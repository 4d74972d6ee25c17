import { systemClock } from '@evt/core'
import { kafka } from '@evt/servers'
import { kafkajsClient, kafkaTransport } from '../src/index.ts'
import { kafkaNames } from '../src/names.ts'
import { acks, consumeAs, numberOf, outgoing, readSome, topic } from './raw.ts'

kafka.describe('delayed retries on Kafka', () => {
  test.each([
    ['ahead', 600_000],
    ['behind', -600_000],
  ])(
    'wait as long for a reader whose clock is ten minutes %s, not shorter and not longer',
    async (_how, skewMs) => {
      const place = await kafka.fresh()
      const prefix = `${place.prefix}.`
      const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + skewMs }
      const transport = kafkaTransport({ brokers: place.brokers, prefix, partitions: 1, clock })
      await transport.open()
      await transport.declare({ name: topic, partitions: 1 })
      const consumer = await consumeAs(transport, 'a')
      // The first retry makes the topic.
      expect(await transport.publish([outgoing(0)])).toEqual([])
      const [first] = await readSome(consumer, 1)
      await consumer.settle([{ delivery: first!, as: 'retry', attempt: 2, afterMs: 1 }])
      await consumer.settle(acks(await readSome(consumer, 1)))
      // Whoever wrote this one had another clock.
      const connection = kafkajsClient({ brokers: place.brokers }).connect()
      const headers = ['ce_id', 'x', 'evt-attempt', '3', 'evt-after', '1500', 'evt-position', '0:1:0']
      const records = [{ key: null, value: Buffer.from('1'), headers }]
      const atMs = performance.now()
      const batch = { topic: kafkaNames(prefix).retryTopic('test/a', topic), partition: 0, records }
      expect(await connection.produce([batch])).toEqual([])
      const again = await readSome(consumer, 1)
      const tookMs = performance.now() - atMs
      expect(again).toMatchObject([{ attempt: 3, position: '0:1:0' }])
      expect(tookMs).toBeGreaterThanOrEqual(1_500)
      expect(tookMs).toBeLessThan(6_000)
      await consumer.settle(acks(again))
      await consumer.close()
      await connection.close()
      await transport.close()
      await place.drop()
    },
    60_000,
  )

  test('come also when their reader had let its lease end while it read, and joined its group again', async () => {
    const place = await kafka.fresh()
    const transport = kafkaTransport({ brokers: place.brokers, prefix: `${place.prefix}.`, partitions: 1 })
    await transport.open()
    await transport.declare({ name: topic, partitions: 1 })
    let lose: () => void = () => {}
    const lost = new Promise<void>((resolve) => {
      lose = resolve
    })
    const consumer = await consumeAs(transport, 'a', { leaseMs: 3_000 }, { lost: () => lose() })
    expect(await transport.publish([outgoing(0)])).toEqual([])
    const [delayed] = await readSome(consumer, 1)
    await consumer.settle([{ delivery: delayed!, as: 'retry', attempt: 2, afterMs: 8_000 }])
    expect(await transport.publish([outgoing(1)])).toEqual([])
    // Nobody renews what is held here; meanwhile the delayed one is fetched.
    await readSome(consumer, 1)
    const reading = readSome(consumer, 1, 20_000)
    await lost
    for (const expected of [1, 0]) {
      const again = expected === 1 ? await reading : await readSome(consumer, 1, 20_000)
      expect(again.map(numberOf)).toEqual([expected])
      await consumer.settle(acks(again))
    }
    await consumer.close()
    await transport.close()
    await place.drop()
  }, 60_000)
})
