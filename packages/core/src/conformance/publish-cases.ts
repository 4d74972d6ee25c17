import { type ConformanceCase, eventually, expectThat, quiet } from './case.ts'
import { Keyed, range, refused, Tick, type TransportFactory, withBus } from './harness.ts'

/** Everything published arrives once per group, complete and unchanged. */
export function publishCases(factory: TransportFactory): readonly ConformanceCase[] {
  return [
    {
      name: '100 messages arrive with payload and metadata intact, each once',
      run: () =>
        withBus(factory, async (bus) => {
          const seen = new Map<number, string | undefined>()
          let handled = 0
          await bus.subscribe(
            Tick,
            (tick, delivery) => {
              handled += 1
              seen.set(tick.n, delivery.metadata.note)
            },
            { group: 'a' },
          )
          for (const n of range(100)) await bus.publish(Tick, { n }, { metadata: { note: `ä${n}` } })
          await eventually(() => seen.size === 100, 'every message is delivered')
          await quiet()
          expectThat(handled === 100, 'a settled message is not delivered again')
          expectThat(
            range(100).every((n) => seen.get(n) === `ä${n}`),
            'metadata arrives unchanged',
          )
        }),
    },
    {
      name: '5,000 messages of 50 concurrent publishers reach 50 workers of one group, each once',
      run: () =>
        withBus(factory, async (bus) => {
          const seen = new Set<string>()
          let handled = 0
          const handler = (_tick: unknown, delivery: { readonly id: string }) => {
            handled += 1
            seen.add(delivery.id)
          }
          for (const _worker of range(50)) await bus.subscribe(Tick, handler, { group: 'a', prefetch: 8 })
          await Promise.all(
            range(50).map(async (publisher) => {
              for (const n of range(100)) await bus.publish(Tick, { n: publisher * 100 + n })
            }),
          )
          await eventually(() => seen.size === 5_000, 'nothing is lost between many workers', 30_000)
          expectThat(handled === 5_000, 'no message goes to two workers of a group')
        }),
    },
    {
      name: 'every group gets every message, and a group created later gets the earlier ones',
      run: () =>
        withBus(factory, async (bus, transport) => {
          const startAt = transport.supports.starts.includes('earliest') ? 'earliest' : 'latest'
          const counts = { first: 0, second: 0, late: 0 }
          await bus.subscribe(
            Tick,
            () => {
              counts.first += 1
            },
            { group: 'first', startAt },
          )
          await bus.subscribe(
            Tick,
            () => {
              counts.second += 1
            },
            { group: 'second', startAt },
          )
          for (const n of range(50)) await bus.publish(Tick, { n })
          await eventually(() => counts.first === 50 && counts.second === 50, 'each group gets all')
          const late = bus.subscribe(
            Tick,
            () => {
              counts.late += 1
            },
            { group: 'late', startAt: 'earliest' },
          )
          if (startAt === 'latest') return expectThat(await refused(late), 'a start that is not supported is refused')
          await late
          await eventually(() => counts.late === 50, 'a group created later gets the earlier messages')
        }),
    },
    {
      name: 'every broadcast subscription gets every message published after it began',
      run: () =>
        withBus(factory, async (bus) => {
          const counts = [0, 0]
          await bus.publish(Tick, { n: -1 })
          await bus.subscribe(
            Tick,
            () => {
              counts[0]! += 1
            },
            { mode: 'broadcast', name: 'one' },
          )
          await bus.subscribe(
            Tick,
            () => {
              counts[1]! += 1
            },
            { mode: 'broadcast', name: 'two' },
          )
          for (const n of range(20)) await bus.publish(Tick, { n })
          await eventually(() => counts[0] === 20 && counts[1] === 20, 'a broadcast reaches every reader')
          await quiet()
          expectThat(counts[0] === 20 && counts[1] === 20, 'a broadcast starts at the latest message')
        }),
    },
    {
      name: '16 keys keep their publish order within one process',
      run: () =>
        withBus(factory, async (bus, transport) => {
          if (transport.supports.ordering.plain === 'none') {
            const isRefused = await refused(bus.subscribe(Keyed, () => {}, { group: 'a', ordered: 'process' }))
            return expectThat(isRefused, 'an order that cannot be kept is refused')
          }
          const seen = new Map<string, number[]>()
          let handled = 0
          await bus.subscribe(
            Keyed,
            async (tick) => {
              if (tick.n % 7 === 0) await new Promise((resolve) => setImmediate(resolve))
              const list = seen.get(tick.key!) ?? []
              list.push(tick.n)
              seen.set(tick.key!, list)
              handled += 1
            },
            { group: 'a' },
          )
          await bus.publishMany(range(1_000).map((n) => Keyed.of({ n, key: `k${n % 16}` })))
          await eventually(() => handled === 1_000, 'every message is delivered')
          for (const list of seen.values()) {
            expectThat(
              list.every((n, index) => index === 0 || n > list[index - 1]!),
              'messages of one key are handled in publish order',
            )
          }
        }),
    },
    {
      name: 'a subscription that was closed and opened again has lost nothing and repeated nothing',
      run: () =>
        withBus(factory, async (bus, transport) => {
          const seen = new Set<number>()
          let handled = 0
          const handler = (tick: { readonly n: number }) => {
            handled += 1
            seen.add(tick.n)
          }
          if (transport.supports.release === 'lost') return
          for (const round of range(5)) {
            const subscription = await bus.subscribe(Tick, handler, { group: 'a' })
            await bus.publishMany(range(1_000).map((n) => Tick.of({ n: round * 1_000 + n })))
            await subscription.close()
          }
          await bus.subscribe(Tick, handler, { group: 'a' })
          await eventually(() => seen.size === 5_000, 'what was released is delivered later', 30_000)
          expectThat(handled === 5_000, 'a graceful close redelivers nothing that finished')
        }),
    },
  ]
}
