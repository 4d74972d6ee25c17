import { on } from '../subscription.ts'
import { type ConformanceCase, eventually, expectThat, quiet } from './case.ts'
import {
  consumeAs,
  Keyed,
  outgoing,
  range,
  readSome,
  send,
  Tick,
  type TransportFactory,
  withBus,
  withTransport,
} from './harness.ts'

/** Bounds, overlap and the end of things. */
export function boundsCases(factory: TransportFactory): readonly ConformanceCase[] {
  return [
    {
      name: 'no more handlers run than the concurrency says, and what waits stays within the prefetch',
      run: () =>
        withBus(factory, async (bus, transport) => {
          let running = 0
          let most = 0
          let done = 0
          const subscription = await bus.subscribe(
            Tick,
            async () => {
              running += 1
              most = Math.max(most, running)
              await new Promise((resolve) => setImmediate(resolve))
              running -= 1
              done += 1
            },
            { group: 'a', concurrency: 4, prefetch: 6 },
          )
          let waiting = 0
          await bus.publishMany(range(500).map((n) => Tick.of({ n })))
          await eventually(() => {
            waiting = Math.max(waiting, subscription.stats().waiting)
            return done === 500
          }, 'every message is delivered')
          expectThat(most <= 4, 'in flight never exceeds the concurrency')
          expectThat(
            waiting <= 6 + transport.supports.readOverrun,
            'what is fetched and not started stays within the prefetch',
          )
        }),
    },
    {
      name: 'deliveries of one key never overlap',
      run: () =>
        withBus(factory, async (bus, transport) => {
          if (transport.supports.ordering.plain === 'none') return
          const running = new Set<string>()
          let overlaps = 0
          let done = 0
          await bus.subscribe(
            Keyed,
            async (tick) => {
              if (running.has(tick.key!)) overlaps += 1
              running.add(tick.key!)
              await new Promise((resolve) => setImmediate(resolve))
              running.delete(tick.key!)
              done += 1
            },
            { group: 'a', concurrency: 16 },
          )
          await bus.publishMany(range(200).map((n) => Keyed.of({ n, key: `k${n % 3}` })))
          await eventually(() => done === 200, 'every message is delivered')
          expectThat(overlaps === 0, 'one key is handled by one handler at a time')
        }),
    },
    {
      name: 'a read returns no more messages than there is room for, and at least one however large it is',
      run: () =>
        withTransport(factory, async (transport) => {
          const consumer = await consumeAs(transport, 'a')
          await send(
            transport,
            range(20).map((n) => outgoing(`${n} ${'x'.repeat(1_000)}`)),
          )
          const signal = AbortSignal.timeout(5_000)
          const few = await consumer.read({ messages: 3, bytes: 1_000_000 }, signal)
          expectThat(few.length >= 1 && few.length <= 3 + transport.supports.readOverrun, 'a read keeps to its room')
          const large = await consumer.read({ messages: 10, bytes: 1 }, signal)
          expectThat(large.length >= 1, 'a message larger than the room is delivered all the same')
          await consumer.settle([...few, ...large].map((delivery) => ({ delivery, as: 'ack' as const })))
          await consumer.close()
        }),
    },
    {
      name: 'an aborted read resolves empty and loses nothing',
      run: () =>
        withTransport(factory, async (transport) => {
          const consumer = await consumeAs(transport, 'a')
          const stop = new AbortController()
          const reading = consumer.read({ messages: 1, bytes: 1_000 }, stop.signal)
          stop.abort()
          expectThat((await reading).length === 0, 'an aborted read resolves empty')
          await send(transport, [outgoing('one')])
          const [read] = await readSome(consumer, 1)
          expectThat(read !== undefined, 'a message after an aborted read is delivered')
          await consumer.settle([{ delivery: read, as: 'ack' }])
          await consumer.close()
        }),
    },
    {
      name: 'close lets running handlers finish, starts none afterwards, and what it gave back is delivered to the next',
      run: () =>
        withBus(factory, async (bus, transport) => {
          let closed = false
          let lateStarts = 0
          const seen = new Set<number>()
          let handled = 0
          const handler = async (tick: { readonly n: number }) => {
            if (closed) lateStarts += 1
            await new Promise((resolve) => setTimeout(resolve, 2))
            handled += 1
            seen.add(tick.n)
          }
          const first = await bus.subscribe(Tick, handler, { group: 'a', concurrency: 4 })
          await bus.publishMany(range(300).map((n) => Tick.of({ n })))
          await eventually(() => handled > 20, 'messages are delivered')
          await first.close()
          closed = true
          await quiet()
          expectThat(lateStarts === 0, 'no handler starts after close')
          if (transport.supports.release === 'lost') return
          closed = false
          await bus.subscribe(Tick, handler, { group: 'a', concurrency: 4 })
          await eventually(() => seen.size === 300, 'what was given back is delivered')
          expectThat(handled === 300, 'nothing that finished is delivered again')
        }),
    },
    {
      name: '10 subscriptions opened and closed at once leave the group whole',
      run: () =>
        withBus(factory, async (bus) => {
          const handler = () => {}
          await Promise.all(
            range(10).map(async () => {
              const subscription = await bus.subscribe(Tick, handler, { group: 'a' })
              await subscription.close()
            }),
          )
          const seen = new Set<number>()
          await bus.subscribe(on(Tick, (tick) => void seen.add(tick.n), { group: 'a' }))
          await bus.publishMany(range(50).map((n) => Tick.of({ n })))
          await eventually(() => seen.size === 50, 'a group survives closing consumers')
        }),
    },
  ]
}
