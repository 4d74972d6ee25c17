import { memoryTransport, type Outgoing, type Transport } from '@evt/core'
import { duplicating, reordering, seededRandom, wrapTransport } from '../src/index.ts'
import { consumeAs, ids, outgoing, readSome, textOf } from './harness.ts'

async function publishedBy(wrap: (transport: Transport) => Transport, batches: readonly (readonly Outgoing[])[]) {
  const sent: string[] = []
  const inner = wrapTransport(memoryTransport(), {
    async publish(batch) {
      sent.push(...batch.map(({ id }) => id))
      return []
    },
  })
  const transport = wrap(inner)
  for (const batch of batches) await transport.publish(batch)
  return sent
}

test('the same seed gives the same numbers, another seed others, all from 0 to 1', () => {
  const draw = (seed: number) => Array.from({ length: 1_000 }, seededRandom(seed))
  expect(draw(1)).toEqual(draw(1))
  expect(draw(1)).not.toEqual(draw(2))
  const numbers = draw(3)
  expect(numbers.every((number) => number >= 0 && number < 1)).toBe(true)
  expect(Math.abs(numbers.reduce((sum, number) => sum + number) / 1_000 - 0.5)).toBeLessThan(0.05)
})

test('duplicates stand right behind their originals, about as many as asked for, the same for one seed', async () => {
  const all = ids(1_000).map((id) => outgoing(id))
  const run = (seed: number) => publishedBy((inner) => duplicating(inner, { share: 0.25, seed }), [all])
  const sent = await run(1)
  expect(sent.length - 1_000).toBeGreaterThan(200)
  expect(sent.length - 1_000).toBeLessThan(300)
  expect(sent.filter((id, index) => id !== sent[index - 1])).toEqual(ids(1_000))
  expect(await run(1)).toEqual(sent)
  expect(await run(2)).not.toEqual(sent)
})

test('which messages are duplicated does not depend on how they are batched', async () => {
  const all = ids(20).map((id) => outgoing(id))
  const wrap = (inner: Transport) => duplicating(inner, { share: 0.5 })
  expect(await publishedBy(wrap, [all])).toEqual(
    await publishedBy(
      wrap,
      all.map((each) => [each]),
    ),
  )
})

test('a failure is reported under the index of its original, a copy’s failure not at all', async () => {
  const error = new Error('no')
  const refusing = (index: number) =>
    duplicating(wrapTransport(memoryTransport(), { publish: async () => [{ index, outcome: 'refused', error }] }), {
      share: 1,
    })
  const batch = [outgoing('a'), outgoing('b')]
  expect(await refusing(2).publish(batch)).toEqual([{ index: 1, outcome: 'refused', error }])
  expect(await refusing(1).publish(batch)).toEqual([])
})

async function readReordered(window: number, seed: number, keys?: (id: string) => string) {
  const transport = reordering(memoryTransport(), { window, seed })
  const ordered = keys === undefined ? 'none' : 'process'
  const consumer = await consumeAs(transport, 'g', { ordered })
  await transport.publish(ids(100).map((id) => outgoing(id, keys?.(id))))
  const read = (await readSome(consumer, 100)).map(textOf)
  await consumer.close()
  return read
}

test('reordering loses nothing, moves nothing farther than its window, and repeats itself for a seed', async () => {
  const read = await readReordered(5, 1)
  expect(new Set(read)).toEqual(new Set(ids(100)))
  expect(read).not.toEqual(ids(100))
  expect(read.every((id, index) => Math.abs(Number(id) - index) < 5)).toBe(true)
  expect(await readReordered(5, 1)).toEqual(read)
  expect(await readReordered(5, 2)).not.toEqual(read)
})

test('an ordered consumer gets every key in its own order, and other keys in between', async () => {
  const keyOf = (id: string) => `k${Number(id) % 3}`
  const read = await readReordered(10, 1, keyOf)
  for (const key of ['k0', 'k1', 'k2'])
    expect(read.filter((id) => keyOf(id) === key)).toEqual(ids(100).filter((id) => keyOf(id) === key))
  expect(read).not.toEqual(ids(100))
})

test('a window of one changes nothing', async () => {
  expect(await readReordered(1, 1)).toEqual(ids(100))
})

test('messages that come one by one are gathered, and a window that does not fill is handed over all the same', async () => {
  const transport = reordering(memoryTransport(), { window: 50, gatherMs: 20 })
  const consumer = await consumeAs(transport, 'g')
  const reading = consumer.read({ messages: 50, bytes: 1_000_000 }, AbortSignal.timeout(5_000))
  for (const id of ids(10)) await transport.publish([outgoing(id)])
  const read = (await reading).map(textOf)
  expect(new Set(read)).toEqual(new Set(ids(10)))
  expect(read).not.toEqual(ids(10))
})

test('what was gathered is handed over, not lost, when the reading is stopped or fails', async () => {
  const stop = new AbortController()
  const transport = reordering(memoryTransport(), { window: 5, gatherMs: 60_000 })
  const consumer = await consumeAs(transport, 'g')
  const reading = consumer.read({ messages: 5, bytes: 1_000 }, stop.signal)
  await transport.publish([outgoing('1')])
  // The read has its first message now and waits for its window to fill.
  await new Promise(setImmediate)
  stop.abort()
  expect((await reading).map(textOf)).toEqual(['1'])

  let reads = 0
  const flaky = reordering(
    wrapTransport(memoryTransport(), {
      consume: async () => ({
        read: async () => {
          reads += 1
          if (reads > 1) throw new Error('connection lost')
          return [{ payload: Buffer.from('1') } as never]
        },
        settle: async () => [],
        extend: async () => [],
        close: async () => {},
      }),
    }),
    { window: 5 },
  )
  const broken = await consumeAs(flaky, 'g')
  expect((await broken.read({ messages: 5, bytes: 1_000 }, AbortSignal.timeout(1_000))).map(textOf)).toEqual(['1'])
  await expect(broken.read({ messages: 5, bytes: 1_000 }, AbortSignal.timeout(1_000))).rejects.toThrow('lost')
})
