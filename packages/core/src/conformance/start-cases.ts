import type { StartAt } from '../transport.ts'
import { type ConformanceCase, eventually, expectThat, quietMs } from './case.ts'
import {
  consumeAs,
  outgoing,
  readSome,
  refused,
  send,
  Tick,
  type TransportFactory,
  textOf,
  withBus,
  withTransport,
} from './harness.ts'

/** Where a consumer begins, and where it goes on. */
export function startCases(factory: TransportFactory): readonly ConformanceCase[] {
  return [
    {
      name: 'a group that starts at the latest message gets what is published after it exists and nothing before',
      run: () =>
        withTransport(factory, async (transport) => {
          await send(transport, [outgoing('before')])
          const consumer = await consumeAs(transport, 'a', { from: 'latest' })
          await send(transport, [outgoing('after')])
          const read = await readSome(consumer, 1)
          expectThat(read.map(textOf).join() === 'after', 'a group at the latest begins with the next message')
          await consumer.settle(read.map((delivery) => ({ delivery, as: 'ack' as const })))
          await consumer.close()
        }),
    },
    {
      name: 'a group that exists goes on where it stopped, whatever start it is given',
      run: () =>
        withTransport(factory, async (transport) => {
          if (transport.supports.durability === 'none') return
          const first = await consumeAs(transport, 'a')
          await send(transport, [outgoing('one'), outgoing('two')])
          const [one] = await readSome(first, 1)
          await first.settle([{ delivery: one!, as: 'ack' }])
          await first.close()
          await send(transport, [outgoing('three')])
          const second = await consumeAs(transport, 'a', { from: 'latest' })
          const read = await readSome(second, 2)
          expectThat(
            read.map(textOf).sort().join() === 'three,two' || read.map(textOf).join() === 'two,three',
            'a group keeps its place while nobody reads',
          )
          await second.settle(read.map((delivery) => ({ delivery, as: 'ack' as const })))
          await second.close()
        }),
    },
    {
      name: 'a start by position begins right behind it, and a start by time at the first message since',
      run: () =>
        withTransport(factory, async (transport) => {
          const { starts } = transport.supports
          if (!starts.includes('earliest')) return
          const all = await consumeAs(transport, 'all')
          await send(transport, [outgoing('one'), outgoing('two')])
          const [one, two] = await readSome(all, 2)
          await all.settle([one!, two!].map((delivery) => ({ delivery, as: 'ack' as const })))
          // Brokers that look up times do so by the millisecond.
          const before = Date.now()
          await eventually(() => Date.now() > before + 1, 'time passes')
          const since = new Date()
          await eventually(() => Date.now() > since.getTime() + 1, 'time passes')
          await send(transport, [outgoing('three')])
          const begins = async (from: StartAt, group: string) => {
            const consumer = await consumeAs(transport, group, { from })
            const [first] = await readSome(consumer, 1)
            await consumer.close()
            return first === undefined ? undefined : textOf(first)
          }
          if (starts.includes('position')) {
            const begun = await begins({ position: one!.position }, 'position')
            expectThat(begun === 'two', 'a position is exclusive')
            const nowhere = consumeAs(transport, 'nowhere', { from: { position: 'nowhere' } })
            expectThat(
              await refused(nowhere),
              'what is no position begins nowhere, neither at the first message nor at the last',
            )
          }
          if (starts.includes('time')) expectThat((await begins(since, 'time')) === 'three', 'a time is inclusive')
          await all.close()
        }),
    },
    {
      name: 'a start that is not supported is refused before anything is read',
      run: () =>
        withBus(factory, async (bus, transport) => {
          const { starts } = transport.supports
          const all: readonly (readonly [(typeof starts)[number], StartAt])[] = [
            ['earliest', 'earliest'],
            ['latest', 'latest'],
            ['time', new Date(0)],
            ['position', { position: '0' }],
          ]
          for (const [kind, startAt] of all) {
            if (starts.includes(kind)) continue
            const subscribing = bus.subscribe(Tick, () => {}, { group: kind, startAt, deadLetters: 'drop' })
            expectThat(await refused(subscribing), `a start at the ${kind} is refused`)
          }
        }),
    },
    {
      name: 'a durable reader goes on where it stopped, an ephemeral one begins anew',
      run: () =>
        withTransport(factory, async (transport) => {
          if (transport.supports.durability === 'none') return
          const durable = { consumer: 'suite/durable@1', as: { reader: 'durable' }, from: 'latest' } as const
          const first = await consumeAs(transport, 'durable', durable)
          await send(transport, [outgoing('one')])
          const [one] = await readSome(first, 1)
          expectThat(one !== undefined && textOf(one) === 'one', 'a reader gets what is published after it began')
          await first.settle([{ delivery: one, as: 'ack' }])
          await first.close()
          await send(transport, [outgoing('two')])
          const again = await consumeAs(transport, 'durable', durable)
          const [two] = await readSome(again, 1)
          expectThat(two !== undefined && textOf(two) === 'two', 'a durable reader misses nothing while it is away')
          await again.settle([{ delivery: two, as: 'ack' }])
          await again.close()
          const ephemeral = { consumer: 'suite/e@2', as: { reader: 'ephemeral' }, from: 'latest' } as const
          const live = await consumeAs(transport, 'e', ephemeral)
          expectThat((await readSome(live, 1, quietMs)).length === 0, 'an ephemeral reader begins at the latest')
          await live.close()
        }),
    },
  ]
}
