import type { Transport } from '../transport.ts'
import { type ConformanceCase, eventually, expectThat } from './case.ts'
import {
  consumeAs,
  outgoing,
  range,
  readSome,
  refused,
  send,
  type TransportFactory,
  textOf,
  topic,
  withTransport,
} from './harness.ts'

const ageMs = 40

async function oldest(transport: Transport): Promise<number | null> {
  const state = (await transport.inspect(topic)).find(({ consumer }) => consumer === 'suite/a')
  return state?.oldestMs ?? null
}

/** The transport's own places: dead letters, what `inspect` tells, what `trim` removes. */
export function placeCases(factory: TransportFactory): readonly ConformanceCase[] {
  return [
    {
      name: 'a dead letter can be read back with headers, payload, reason and history, and removed',
      run: () =>
        withTransport(factory, async (transport) => {
          const page = { after: undefined, limit: 10 }
          if (transport.supports.deadLetters === 'none') {
            return expectThat(await refused(transport.readDeadLetters(topic, page)), 'a place that is none is refused')
          }
          const consumer = await consumeAs(transport, 'a')
          await send(transport, [outgoing('one', 'key'), outgoing('two')])
          const read = await readSome(consumer, 2)
          const history = [{ attempt: 1, name: 'Error', message: 'no ü', code: 'E_NO', at: new Date(0).toISOString() }]
          await consumer.settle(
            read.map((delivery) => ({ delivery, as: 'deadLetter' as const, reason: 'no ü', history })),
          )
          const letters = await transport.readDeadLetters(topic, page)
          expectThat(letters.length === 2, 'every dead letter is kept')
          const letter = letters.find(({ key }) => key === 'key')!
          const source = read.find(({ key }) => key === 'key')!
          expectThat(
            letter.reason === 'no ü' && JSON.stringify(letter.history) === JSON.stringify(history),
            'reason and history are kept',
          )
          expectThat(
            JSON.stringify({ ...letter.headers }, Object.keys(source.headers).sort()) ===
              JSON.stringify({ ...source.headers }, Object.keys(source.headers).sort()) &&
              Buffer.from(letter.payload).equals(Buffer.from(source.payload)),
            'headers and payload are kept unchanged',
          )
          expectThat(letter.position === source.position && letter.consumer === 'suite/a', 'it says where it came from')
          const rest = await transport.readDeadLetters(topic, { after: letters[0]!.id, limit: 10 })
          expectThat(rest.length === 1 && rest[0]!.id === letters[1]!.id, 'pages go on behind the last one')
          await transport.removeDeadLetters(topic, [letters[0]!.id, letters[0]!.id])
          expectThat((await transport.readDeadLetters(topic, page)).length === 1, 'a removed letter is gone')
          await consumer.close()
        }),
    },
    {
      name: 'inspect tells what waits and what runs, as far as the transport knows it',
      run: () =>
        withTransport(factory, async (transport) => {
          const consumer = await consumeAs(transport, 'a')
          await send(
            transport,
            range(10).map((n) => outgoing(String(n))),
          )
          const sentMs = performance.now()
          const held = await readSome(consumer, 4)
          const state = (await transport.inspect(topic)).find((each) => each.consumer === 'suite/a')
          const { lag } = transport.supports
          if (lag === 'none') expectThat(state === undefined || state.lag === null, 'an unknown lag is null')
          else {
            expectThat(state !== undefined, 'a group that reads is listed')
            const left = 10 - held.length
            expectThat(
              state.lag !== null && (lag === 'exact' ? state.lag === left : state.lag >= left),
              'lag counts what was not handed over',
            )
            expectThat(state.running === null || state.running === held.length, 'running counts what is leased')
          }
          await consumer.settle(held.map((delivery) => ({ delivery, as: 'ack' as const })))
          await eventually(() => performance.now() - sentMs >= ageMs, 'time passes')
          const oldestMs = await oldest(transport)
          // Half of it, for clocks and times of whole milliseconds.
          expectThat(oldestMs === null || (oldestMs >= ageMs / 2 && oldestMs < 60_000), 'the age is that of the oldest')
          const rest = await readSome(consumer, 10 - held.length)
          await consumer.settle(rest.map((delivery) => ({ delivery, as: 'ack' as const })))
          expectThat((await oldest(transport)) === null, 'where nothing is left, nothing is old')
          await consumer.close()
        }),
    },
    {
      name: 'inspect tells the age of the oldest message that is not settled, also while a handler has it',
      run: () =>
        withTransport(factory, async (transport) => {
          const consumer = await consumeAs(transport, 'a')
          await send(transport, [outgoing('old')])
          const sentMs = performance.now()
          const [old] = await readSome(consumer, 1)
          await eventually(() => performance.now() - sentMs >= ageMs, 'time passes')
          await send(transport, [outgoing('young')])
          const oldestMs = await oldest(transport)
          if (transport.supports.lag === 'none') expectThat(oldestMs === null, 'an unknown age is null')
          else expectThat(oldestMs !== null && oldestMs >= ageMs / 2, 'what a handler has counts until it is settled')
          await consumer.settle([{ delivery: old!, as: 'ack' }])
          const [young] = await readSome(consumer, 1)
          await consumer.settle([{ delivery: young!, as: 'ack' }])
          await consumer.close()
        }),
    },
    {
      name: 'trimming removes nothing that a group has not acknowledged',
      run: () =>
        withTransport(factory, async (transport) => {
          if (transport.supports.durability === 'none') return
          const fast = await consumeAs(transport, 'fast')
          const slow = await consumeAs(transport, 'slow')
          await send(
            transport,
            range(20).map((n) => outgoing(String(n))),
          )
          const first = await readSome(fast, 20)
          await fast.settle(first.map((delivery) => ({ delivery, as: 'ack' as const })))
          const part = await readSome(slow, 5)
          await slow.settle(part.map((delivery) => ({ delivery, as: 'ack' as const })))
          await transport.trim(topic)
          await transport.trim(topic)
          const rest = await readSome(slow, 20 - part.length)
          const seen = new Set([...part, ...rest].map(textOf))
          expectThat(seen.size === 20, 'the slower group still gets everything')
          await slow.settle(rest.map((delivery) => ({ delivery, as: 'ack' as const })))
          const report = await transport.trim(topic)
          if (transport.supports.retention === 'acknowledged')
            expectThat(report.removed > 0, 'what every group has acknowledged is removed')
          await fast.close()
          await slow.close()
        }),
    },
    {
      name: 'trimming leaves what a consumer holds, which is handed over again when it goes away',
      run: () =>
        withTransport(factory, async (transport) => {
          if (transport.supports.lease === 'none') return
          const first = await consumeAs(transport, 'a', { leaseMs: 1_000 })
          await send(
            transport,
            range(10).map((n) => outgoing(String(n))),
          )
          const held = await readSome(first, 5)
          const [one, two] = held
          await first.settle([one!, two!].map((delivery) => ({ delivery, as: 'ack' as const })))
          await transport.trim(topic)
          await first.close()
          const second = await consumeAs(transport, 'a', { leaseMs: 1_000 })
          const done = new Set([one!, two!].map(textOf))
          const left = range(10)
            .map(String)
            .filter((text) => !done.has(text))
          const rest = new Set((await readSome(second, left.length)).map(textOf))
          expectThat(
            left.every((text) => rest.has(text)),
            'what was held and not settled is handed over again, and the rest as well',
          )
          await second.close()
        }),
    },
    {
      name: 'a message that is too large is refused by itself and its neighbours are accepted',
      run: () =>
        withTransport(factory, async (transport) => {
          const { maxMessageBytes } = transport.supports
          if (maxMessageBytes > 64 * 1_024 * 1_024) return
          const consumer = await consumeAs(transport, 'a', { from: 'latest' })
          const large = { ...outgoing('large'), payload: new Uint8Array(maxMessageBytes + 1).fill(32) }
          const failures = await transport.publish([outgoing('before'), large])
          expectThat(
            failures.length === 1 && failures[0]!.index === 1 && failures[0]!.outcome === 'refused',
            'what is too large is refused, by index',
          )
          expectThat((await transport.publish([outgoing('after')])).length === 0, 'the transport goes on')
          const read = await readSome(consumer, 2)
          expectThat(read.map(textOf).join() === 'before,after', 'its neighbours are delivered')
          await consumer.settle(read.map((delivery) => ({ delivery, as: 'ack' as const })))
          await consumer.close()
        }),
    },
  ]
}
