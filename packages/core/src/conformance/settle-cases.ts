import { createBus } from '../bus/create-bus.ts'
import { silentLogger } from '../logger.ts'
import { reject, retry as retryLater } from '../outcome.ts'
import type { Settlement, TransportDelivery } from '../transport.ts'
import { type ConformanceCase, eventually, expectThat, quiet, quietMs } from './case.ts'
import {
  consumeAs,
  Keyed,
  outgoing,
  quickRetry,
  range,
  readSome,
  refused,
  send,
  Tick,
  type TransportFactory,
  textOf,
  withBus,
  withTransport,
} from './harness.ts'

/** What becomes of a message after its handler: acknowledged, retried, dead-lettered, given back. */
export function settleCases(factory: TransportFactory): readonly ConformanceCase[] {
  return [
    {
      name: 'a handler that fails twice and then succeeds runs three times, attempts 1, 2, 3, gaps at least the back-off',
      run: () =>
        withBus(factory, async (bus) => {
          const runs: { attempt: number; atMs: number }[] = []
          await bus.subscribe(
            Tick,
            (_tick, delivery) => {
              runs.push({ attempt: delivery.attempt, atMs: performance.now() })
              if (delivery.attempt < 3) throw new Error('again')
            },
            { group: 'a', retry: quickRetry },
          )
          await bus.publish(Tick, { n: 1 })
          await eventually(() => runs.length === 3, 'a failed message is delivered again')
          await quiet()
          expectThat(runs.map((run) => run.attempt).join() === '1,2,3', 'each failed run raises the attempt by one')
          for (const [index, run] of runs.entries()) {
            expectThat(index === 0 || run.atMs - runs[index - 1]!.atMs >= 19, 'the gap is at least the back-off')
          }
        }),
    },
    {
      name: 'a retry beyond the hold time goes through the transport and keeps its attempt',
      run: () =>
        withBus(factory, async (bus) => {
          const attempts: number[] = []
          await bus.subscribe(
            Tick,
            (_tick, delivery) => {
              attempts.push(delivery.attempt)
              if (delivery.attempt < 3) retryLater('later', { afterMs: 30 })
            },
            { group: 'a', holdMs: 0 },
          )
          await bus.publish(Tick, { n: 1 })
          await eventually(() => attempts.length === 3, 'a delayed message comes back')
          expectThat(attempts.join() === '1,2,3', 'a delayed retry raises the attempt by one')
        }),
    },
    {
      name: 'a retry that is not counted burns no attempt',
      run: () =>
        withBus(factory, async (bus) => {
          const attempts: number[] = []
          await bus.subscribe(
            Tick,
            (_tick, delivery) => {
              attempts.push(delivery.attempt)
              if (attempts.length < 8) retryLater('store is down', { afterMs: 1, counted: false })
            },
            { group: 'a', retry: quickRetry },
          )
          await bus.publish(Tick, { n: 1 })
          await eventually(() => attempts.length === 8, 'an uncounted retry comes back')
          expectThat(
            attempts.every((attempt) => attempt === 1),
            'an uncounted retry burns no attempt',
          )
        }),
    },
    {
      name: 'after the last attempt and on a reject the message is dead-lettered and its successors go on',
      run: () =>
        withBus(factory, async (bus, transport) => {
          const runs: number[] = []
          const options = { group: 'a', retry: quickRetry } as const
          if (transport.supports.deadLetters === 'none') {
            const withoutStore = createBus({ service: 'suite', transport, logger: silentLogger })
            const isRefused = await refused(withoutStore.subscribe(Tick, () => {}, options))
            await withoutStore.close()
            return expectThat(isRefused, 'dead letters that nobody keeps are refused')
          }
          const subscription = await bus.subscribe(
            Keyed,
            (tick) => {
              runs.push(tick.n)
              if (tick.n === 0) throw new Error('always')
              if (tick.n === 1) reject(new Error('never'))
            },
            options,
          )
          await bus.publishMany(range(3).map((n) => Keyed.of({ n })))
          await eventually(
            () => subscription.stats().acknowledged === 1 && subscription.stats().deadLettered === 2,
            'failures are dead-lettered',
          )
          await quiet()
          expectThat(
            runs.join() === '0,0,0,1,2',
            'attempts are exhausted exactly, in order, and the next of the key goes on',
          )
          const [state] = await transport.inspect(`evt.suite.keyed`)
          expectThat(
            state === undefined || state.deadLettered === null || state.deadLettered === 2,
            'dead letters are kept',
          )
        }),
    },
    {
      name: 'a settled message is gone and a released one comes back with its attempt',
      run: () =>
        withTransport(factory, async (transport) => {
          const consumer = await consumeAs(transport, 'a')
          await send(transport, [outgoing('one'), outgoing('two')])
          const [first, second] = await readSome(consumer, 2)
          expectThat(first !== undefined && second !== undefined, 'what was published can be read')
          await consumer.settle([
            { delivery: first, as: 'ack' },
            { delivery: second, as: 'release', attempt: second.attempt },
          ])
          if (transport.supports.release === 'lost') {
            expectThat((await readSome(consumer, 1, quietMs)).length === 0, 'what is lost does not come back')
            return consumer.close()
          }
          const [again] = await readSome(consumer, 1)
          expectThat(again !== undefined && textOf(again) === 'two', 'a released message is delivered again')
          if (transport.supports.release === 'free')
            expectThat(again.attempt === 1, 'a release does not raise the attempt')
          await consumer.settle([{ delivery: again, as: 'ack' }])
          expectThat((await readSome(consumer, 1, quietMs)).length === 0, 'an acknowledged message is gone')
          await consumer.close()
        }),
    },
    {
      name: 'what a consumer held when it went away is delivered again as a suspect',
      run: () =>
        withTransport(factory, async (transport) => {
          const first = await consumeAs(transport, 'a', { leaseMs: 1_000 })
          await send(transport, [outgoing('one')])
          const [held] = await readSome(first, 1)
          expectThat(held !== undefined && !held.suspect, 'a first hand-over is no suspect')
          await first.close()
          const second = await consumeAs(transport, 'a', { leaseMs: 1_000 })
          const { lease, attempts } = transport.supports
          if (lease === 'none') {
            expectThat((await readSome(second, 1, quietMs)).length === 0, 'without leases nothing is delivered again')
            return second.close()
          }
          const [again] = await readSome(second, 1)
          expectThat(again !== undefined && textOf(again) === 'one', 'an unsettled message is delivered again')
          expectThat(again.deliveries > held.deliveries, 'every hand-over is counted')
          expectThat(again.suspect || attempts === 'deliveries', 'after an unclean end it is a suspect')
          await second.settle([{ delivery: again, as: 'ack' }])
          await second.close()
        }),
    },
    {
      name: 'a settlement after the lease was lost is refused and has no effect',
      run: () =>
        withTransport(factory, async (transport) => {
          if (transport.supports.fencing !== 'broker') return
          const slow = await consumeAs(transport, 'a', { leaseMs: 100 })
          await send(transport, [outgoing('one')])
          const [late] = await readSome(slow, 1)
          const next = await consumeAs(transport, 'a', { leaseMs: 30_000 })
          const [owned] = await readSome(next, 1)
          expectThat(late !== undefined && owned !== undefined, 'an expired lease hands the message on')
          const refused = await slow.settle([{ delivery: late, as: 'ack' }])
          expectThat(refused.length === 1, 'a late settlement is refused')
          expectThat((await slow.extend([late])).length === 1, 'a lost lease cannot be renewed')
          expectThat((await next.settle([{ delivery: owned, as: 'ack' }])).length === 0, 'the owner can settle')
          await slow.close()
          await next.close()
        }),
    },
    {
      name: 'a renewed lease is not lost',
      run: () =>
        withTransport(factory, async (transport) => {
          if (transport.supports.lease === 'none') return
          const consumer = await consumeAs(transport, 'a', { leaseMs: 1_000 })
          await send(transport, [outgoing('one')])
          const [held] = await readSome(consumer, 1)
          // Long enough for a process that a busy machine stops between two renewals.
          const endMs = performance.now() + 1_500
          while (performance.now() < endMs) {
            expectThat((await consumer.extend([held!])).length === 0, 'a lease can be renewed while it is held')
            await new Promise((resolve) => setTimeout(resolve, 100))
          }
          expectThat(
            (await consumer.settle([{ delivery: held!, as: 'ack' }])).length === 0,
            'a renewed lease is not lost',
          )
          await consumer.close()
        }),
    },
    {
      name: 'a renewal that comes after the settlement changes nothing: what was given back comes when it is due',
      run: () =>
        withTransport(factory, async (transport) => {
          if (transport.supports.lease === 'none') return
          const consumer = await consumeAs(transport, 'a')
          await send(transport, [outgoing('handled'), outgoing('given back'), outgoing('failed')])
          const held = await readSome(consumer, 3)
          await consumer.settle(held.map(decide))
          await consumer.extend(held)
          const again = (await readSome(consumer, 2)).map(textOf).sort()
          expectThat(again.join() === 'failed,given back', 'what was given back comes when it is due')
          await consumer.close()
        }),
    },
  ]
}

function decide(delivery: TransportDelivery): Settlement {
  switch (textOf(delivery)) {
    case 'handled':
      return { delivery, as: 'ack' }
    case 'given back':
      return { delivery, as: 'release', attempt: 1 }
    default:
      return { delivery, as: 'retry', attempt: 2, afterMs: 20 }
  }
}
