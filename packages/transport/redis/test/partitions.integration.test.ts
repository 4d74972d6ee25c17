import { redis } from '@evt/servers'
import {
  acknowledge,
  consumeAs,
  freshPlace,
  message,
  publish,
  range,
  readSome,
  type ToldConsumer,
  textOf,
} from './test-place.ts'

const topic = 'evt.test.parted'
const keys = 16
const total = 2_000

redis.describe('a topic with partitions', () => {
  const place = freshPlace()

  test('keeps the order of a key and never has two holders of it, while readers stall and vanish', async () => {
    const transport = await place.transport()
    await transport.declare({ name: topic, partitions: 8 })
    // A server that does not know the script yet settles partition after partition, and others settle behind it before it answers.
    const first = await consumeAs(transport, 'first')
    await publish(transport, 1)
    await acknowledge(first, await readSome(first, 1))
    await first.close()
    const join = async (): Promise<ToldConsumer> =>
      consumeAs(await place.transport(), 'a', { topic, ordered: 'group', leaseMs: 300 })
    /** Per key: what has been settled, in order. */
    const settled = range(keys).map((): number[] => [])
    let duplicates = 0
    const work = async (reads: number, end: 'stall' | 'close' | 'finish') => {
      const consumer = await join()
      for (let read = 0; read < reads || end === 'finish'; read += 1) {
        const deliveries = await consumer.read({ messages: 50, bytes: 1e6 }, AbortSignal.timeout(1_000))
        if (end !== 'finish' && read === reads - 1) break
        const refused = await consumer.settle(deliveries.map((delivery) => ({ delivery, as: 'ack' as const })))
        for (const delivery of deliveries) {
          if (refused.some((refusal) => refusal.delivery === delivery)) continue
          const [key, n] = textOf(delivery).split('/').map(Number) as [number, number]
          if (settled[key]!.includes(n)) duplicates += 1
          settled[key]!.push(n)
        }
        if (settled.every((list) => list.length >= total / keys)) break
      }
      // A stalled one goes on existing and holding; it is closed only when everything is over.
      if (end !== 'stall') await consumer.close()
      else stalled.push(consumer)
    }
    const stalled: ToldConsumer[] = []
    const publishing = (async () => {
      for (const n of range(total / keys)) {
        await transport.publish(range(keys).map((key) => ({ ...message(`${key}/${n}`, `k${key}`), topic })))
      }
    })()
    const passing = (async () => {
      for (const round of range(6)) await work(3, round % 2 === 0 ? 'stall' : 'close')
    })()
    await Promise.all([publishing, passing, work(0, 'finish'), work(0, 'finish')])
    expect(duplicates).toBe(0)
    for (const list of settled) expect(list).toEqual(range(total / keys))
    for (const consumer of stalled) await consumer.close()
  }, 60_000)
})
