import { onBatch, type Transport } from '../src/index.ts'
import { makeRig, type Numbered, range, Tick } from './rig.ts'

test('a suspect is handled in a batch of its own, also where it waits among others', async () => {
  const wrap = (transport: Transport): Transport => ({
    ...transport,
    async consume(spec, events) {
      const consumer = await transport.consume(spec, events)
      return {
        ...consumer,
        read: async (room, signal) =>
          (await consumer.read(room, signal)).map((delivery) => {
            const { n } = JSON.parse(Buffer.from(delivery.payload).toString()) as Numbered
            return Object.assign(delivery, { suspect: n === 0 || n === 3 })
          }),
      }
    },
  })
  await using rig = makeRig({ wrap })
  const batches: number[][] = []
  const handler = (ticks: readonly Numbered[]) => void batches.push(ticks.map(({ n }) => n))
  await rig.bus.publishMany(range(6).map((n) => Tick.of({ n })))
  await rig.bus.subscribe(onBatch(Tick, handler, { group: 'a', batch: { maxItems: 10, lingerMs: 10 } }))
  await rig.clock.advance(1_000)
  expect(batches).toEqual([[0], [1, 2], [3], [4, 5]])
})
