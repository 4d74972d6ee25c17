import { onBatch } from '../src/index.ts'
import { makeRig, type Numbered, range, readAs, Tick } from './rig.ts'

test('a suspect is handled in a batch of its own, also where it waits among others', async () => {
  const wrap = readAs(({ payload }) => {
    const { n } = JSON.parse(Buffer.from(payload).toString()) as Numbered
    return { suspect: n === 0 || n === 3 }
  })
  await using rig = makeRig({ wrap })
  const batches: number[][] = []
  const handler = (ticks: readonly Numbered[]) => void batches.push(ticks.map(({ n }) => n))
  await rig.bus.publishMany(range(6).map((n) => Tick.of({ n })))
  await rig.bus.subscribe(onBatch(Tick, handler, { group: 'a', batch: { maxItems: 10, lingerMs: 10 } }))
  await rig.clock.advance(1_000)
  expect(batches).toEqual([[0], [1, 2], [3], [4, 5]])
})
