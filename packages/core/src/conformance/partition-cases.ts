import type { Bus } from '../bus/bus.ts'
import { type ConformanceCase, eventually, expectThat } from './case.ts'
import { Keyed, range, refused, Tick, type TransportFactory, withBus, withTwoBuses } from './harness.ts'

const partitions = 8

/** Topics with partitions: the order of a key over all workers of a group. */
export function partitionCases(factory: TransportFactory): readonly ConformanceCase[] {
  return [
    {
      name: 'partitions that are not supported are refused, and so is an order over a whole group without them',
      run: () =>
        withBus(factory, async (bus, transport) => {
          const { plain, partitioned } = transport.supports.ordering
          if (partitioned === 'none')
            expectThat(await refused(bus.register(Tick, { partitions })), 'partitions that cannot be kept are refused')
          if (plain === 'group') return
          const subscribing = bus.subscribe(Keyed, () => {}, { group: 'a', ordered: 'group', deadLetters: 'drop' })
          expectThat(await refused(subscribing), 'an order over the group needs partitions')
        }),
    },
    {
      name: 'the number of partitions is fixed by the first and compared by everybody else',
      run: () =>
        withTwoBuses(factory, async (first, second, transport) => {
          if (transport.supports.ordering.partitioned === 'none') return
          await first.register(Keyed, { partitions })
          expectThat(await refused(second.register(Keyed, { partitions: partitions + 1 })), 'another number is refused')
          await second.register(Keyed, { partitions })
          await second.register(Keyed)
        }),
    },
    {
      name: 'messages of one key are handled in publish order by the workers of two processes, without overlap',
      run: () =>
        withTwoBuses(factory, async (first, second, transport) => {
          const { plain, partitioned } = transport.supports.ordering
          if (plain !== 'group' && partitioned === 'none') return
          const options = partitioned === 'none' ? {} : { partitions }
          await first.register(Keyed, options)
          const seen = new Map<string, number[]>()
          const running = new Set<string>()
          let overlaps = 0
          const handler = async ({ n, key = '' }: { readonly n: number; readonly key?: string | undefined }) => {
            if (running.has(key)) overlaps += 1
            running.add(key)
            await new Promise((resolve) => setImmediate(resolve))
            running.delete(key)
            const list = seen.get(key) ?? []
            list.push(n)
            seen.set(key, list)
          }
          const subscribe = (bus: Bus) => bus.subscribe(Keyed, handler, { group: 'a', ordered: 'group' })
          const leaving = await subscribe(first)
          await subscribe(second)
          const count = () => [...seen.values()].reduce((sum, list) => sum + list.length, 0)
          await first.publishMany(range(500).map((n) => Keyed.of({ n, key: `k${n % 16}` })))
          await eventually(() => count() >= 200, 'messages are delivered', 30_000)
          // One of the workers leaves in the middle: its partitions go to the other.
          await leaving.close()
          await second.publishMany(range(500).map((n) => Keyed.of({ n: 500 + n, key: `k${n % 16}` })))
          await eventually(() => count() >= 1_000, 'every message is delivered', 30_000)
          expectThat(count() === 1_000, 'a graceful hand-over repeats nothing')
          expectThat(overlaps === 0, 'one key is handled by one worker at a time')
          for (const list of seen.values()) {
            expectThat(
              list.every((n, index) => index === 0 || n > list[index - 1]!),
              'messages of one key are handled in publish order',
            )
          }
        }),
    },
    {
      name: 'an ordered message that fails holds its key until it has succeeded, and other keys go on',
      run: () =>
        withBus(factory, async (bus, transport) => {
          const { plain, partitioned } = transport.supports.ordering
          if (plain !== 'group' && partitioned === 'none') return
          await bus.register(Keyed, partitioned === 'none' ? {} : { partitions })
          const seen: string[] = []
          await bus.subscribe(
            Keyed,
            ({ n, key }, { attempt }) => {
              if (key === 'a' && n === 0 && attempt < 3) throw new Error('again')
              seen.push(`${key}${n}`)
            },
            // Such a message waits in its lane, however short it is to be held.
            { group: 'a', ordered: 'group', holdMs: 0, retry: { attempts: 3, backoff: { minMs: 50, maxMs: 50 } } },
          )
          await bus.publishMany(['a', 'b'].flatMap((key) => range(3).map((n) => Keyed.of({ n, key }))))
          await eventually(() => seen.length === 6, 'every message is delivered')
          expectThat(seen.filter((each) => each.startsWith('a')).join() === 'a0,a1,a2', 'a retry keeps the order')
        }),
    },
  ]
}
