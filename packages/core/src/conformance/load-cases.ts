import type { Bus } from '../bus/bus.ts'
import { type ConformanceCase, eventually, expectThat } from './case.ts'
import { busOver, Keyed, range, Tick, type TransportFactory, ticks, withBus, withTwoBuses } from './harness.ts'

/** Many at once, and many failures: the sizes are those of watermill's suite. */
export function loadCases(factory: TransportFactory): readonly ConformanceCase[] {
  return [
    {
      name: '20 topics with 100 messages each stay apart and complete',
      run: () =>
        withBus(factory, async (bus) => {
          const topics = ticks(20)
          const seen = topics.map(() => new Set<number>())
          let strays = 0
          for (const [index, event] of topics.entries()) {
            await bus.subscribe(
              event,
              (tick) => {
                if (tick.n % 20 !== index) strays += 1
                seen[index]!.add(tick.n)
              },
              { group: 'a' },
            )
          }
          await Promise.all(
            topics.map((event, index) => bus.publishMany(range(100).map((n) => event.of({ n: n * 20 + index })))),
          )
          await eventually(() => seen.every((set) => set.size === 100), 'every topic is complete', 30_000)
          expectThat(strays === 0, 'a message arrives on its own topic only')
        }),
    },
    {
      name: '100 messages that are refused twice each arrive a third time',
      run: () =>
        withBus(factory, async (bus) => {
          const runs = new Map<number, number>()
          let done = 0
          await bus.subscribe(
            Tick,
            (tick) => {
              const run = (runs.get(tick.n) ?? 0) + 1
              runs.set(tick.n, run)
              if (run < 3) throw new Error('again')
              done += 1
            },
            { group: 'a', retry: { attempts: 3, backoff: { minMs: 1, maxMs: 1 } } },
          )
          await bus.publishMany(range(100).map((n) => Tick.of({ n })))
          await eventually(() => done === 100, 'a failed message is delivered again')
          expectThat(
            [...runs.values()].every((run) => run === 3),
            'each runs as often as it fails, plus once',
          )
        }),
    },
    {
      name: 'the next message of a key is withheld until the one before it is settled',
      run: () =>
        withBus(factory, async (bus, transport) => {
          if (transport.supports.ordering.plain === 'none') return
          const started: number[] = []
          let release: () => void = () => {}
          const held = new Promise<void>((resolve) => {
            release = resolve
          })
          await bus.subscribe(
            Keyed,
            async (tick) => {
              started.push(tick.n)
              if (tick.n === 0) await held
            },
            { group: 'a' },
          )
          // Not awaited yet: it may resolve only once all of them are settled.
          const publishing = bus.publishMany([
            Keyed.of({ n: 0, key: 'a' }),
            Keyed.of({ n: 1, key: 'a' }),
            Keyed.of({ n: 2, key: 'b' }),
          ])
          await eventually(() => started.includes(2), 'another key does not wait')
          expectThat(!started.includes(1), 'the next of the key waits')
          release()
          await publishing
          await eventually(() => started.includes(1), 'it goes once its predecessor is settled')
        }),
    },
    {
      name: 'three subscribers that fail everything leave all 50 messages to a healthy one',
      run: () =>
        withBus(factory, async (bus, transport) => {
          if (transport.supports.release === 'lost') return
          const seen = new Set<number>()
          let healthy = false
          // One handler, as in several processes of one service.
          const handler = (tick: { readonly n: number }) => {
            if (!healthy) throw new Error('broken')
            seen.add(tick.n)
          }
          const options = { group: 'a', retry: { attempts: 1_000, backoff: { minMs: 5, maxMs: 5 } } } as const
          await bus.publishMany(range(50).map((n) => Tick.of({ n })))
          for (const _round of range(3)) {
            const failing = await bus.subscribe(Tick, handler, options)
            await eventually(() => failing.stats().retried >= 100, 'failures are delivered again')
            await failing.close()
          }
          healthy = true
          await bus.subscribe(Tick, handler, options)
          await eventually(() => seen.size === 50, 'nothing that failed is lost')
        }),
    },
    {
      name: 'a bus that closes while 20 publishers are at work loses nothing it had accepted',
      run: () =>
        withTwoBuses(factory, async (reading, publishing) => {
          const accepted = new Set<number>()
          const seen = new Set<number>()
          await reading.subscribe(
            Tick,
            (tick) => {
              seen.add(tick.n)
            },
            { group: 'a' },
          )
          let closing: Promise<void> | undefined
          const publishers = range(20).map(async (publisher) => {
            for (const n of range(500)) {
              const id = publisher * 500 + n
              try {
                await publishing.publish(Tick, { n: id })
              } catch {
                return
              }
              accepted.add(id)
              if (accepted.size === 5_000) closing = publishing.close()
            }
          })
          await Promise.all(publishers)
          await closing
          await eventually(() => [...accepted].every((n) => seen.has(n)), 'what was accepted is delivered', 30_000)
        }),
    },
    {
      name: 'two processes of one group share the messages, each goes to one of them',
      run: () =>
        withTwoBuses(factory, async (first, second) => {
          const handled = new Map<number, number>()
          const handler = (tick: { readonly n: number }) => {
            handled.set(tick.n, (handled.get(tick.n) ?? 0) + 1)
          }
          await Promise.all([first, second].map((bus: Bus) => bus.subscribe(Tick, handler, { group: 'a' })))
          await first.publishMany(range(2_000).map((n) => Tick.of({ n })))
          await eventually(() => handled.size === 2_000, 'the group gets everything', 30_000)
          expectThat(
            [...handled.values()].every((count) => count === 1),
            'no message goes to two workers',
          )
        }),
    },
    {
      name: 'what a process held that went away without closing is delivered to the next, also when it is the only one',
      run: async () => {
        const { join } = factory
        if (join === undefined) return
        const transport = await factory.create()
        if (transport.supports.lease === 'none') return
        const left = await join(transport)
        try {
          const dying = busOver(left)
          let taken = 0
          const options = { group: 'a', leaseMs: 1_000 } as const
          await dying.subscribe(Tick, () => new Promise<void>(() => (taken += 1)), options)
          await dying.publish(Tick, { n: 1 })
          await eventually(() => taken === 1, 'a message is delivered')
          // As close to a kill as one process gets: nothing is settled or given back, no lease renewed.
          await dying.close({ deadlineMs: 0 })
          const next = busOver(transport)
          let handled = 0
          await next.subscribe(
            Tick,
            () => {
              handled += 1
            },
            options,
          )
          await eventually(() => handled === 1, 'what nobody settled is delivered again', 30_000)
          await next.close()
        } finally {
          await factory.dispose?.(transport)
        }
      },
    },
  ]
}
