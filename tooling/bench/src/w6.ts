import { createBus, silentLogger } from '@evt/core'
import { jetstreamTransport } from '@evt/transport-nats'
import { headers } from 'nats'
import { timeOrderedId } from './ideal-id.ts'
import { collectStream, createStream, headerLines, jetstreamPlace, orderText, publisherByHand } from './jetstream.ts'
import { OrderCreated, order } from './order.ts'
import { sideBySide } from './side-by-side.ts'
import type { Contender, Workload } from './workload.ts'

const inFlight = 256

/** Each message has an id that the stream remembers, CloudEvents' headers and JSON, and its acceptance is awaited. */
export const workloads: readonly Workload[] = [
  {
    kind: 'throughput',
    id: 'w6.publish',
    title: 'JetStream: 256 publishes at a time, each awaited',
    messages: 30_000,
    checked: 'everyRound',
    servers: ['nats'],
    contenders: [byHand(), evt(), clientPublish()],
    goals: [
      { text: 'of the speed of an own inbox', value: (read) => read.ratio('evt', 'own inbox'), atLeast: 0.9 },
      { text: 'times as fast as js.publish', value: (read) => read.ratio('evt', 'js.publish'), atLeast: 3 },
      {
        text: 'µs of own processor time a message',
        value: (read) => read.figure('evt', 'cpu µs') - read.figure('own inbox', 'cpu µs'),
        atMost: 2,
      },
      { text: 'messages a second', value: (read) => read.perSecond('evt'), atLeast: 75_000 },
    ],
  },
]

function byHand(): Contender {
  return {
    name: 'own inbox',
    async start() {
      const place = await jetstreamPlace()
      await createStream(place)
      const publish = publisherByHand(place)
      return {
        run: (messages, ledger) =>
          sideBySide(messages, inFlight, async () => ledger?.sent(await publish(order), orderText)),
        collect: (ledger) => collectStream(place, ledger),
        stop: place.drop,
      }
    },
  }
}

function evt(): Contender {
  return {
    name: 'evt',
    async start() {
      const place = await jetstreamPlace()
      const { connection, prefix } = place
      const transport = jetstreamTransport({ connection, prefix })
      const bus = createBus({ service: 'bench', logger: silentLogger, transport })
      return {
        run: (messages, ledger) =>
          sideBySide(messages, inFlight, async () => {
            const { id } = await bus.publish(OrderCreated, order)
            ledger?.sent(id, orderText)
          }),
        collect: (ledger) => collectStream(place, ledger),
        async stop() {
          await bus.close()
          await place.drop()
        },
      }
    },
  }
}

/** What the client offers, with the headers that it builds. */
function clientPublish(): Contender {
  return {
    name: 'js.publish',
    async start() {
      const place = await jetstreamPlace()
      await createStream(place)
      const { connection, subject } = place
      const js = connection.jetstream()
      return {
        run: (messages, ledger) =>
          sideBySide(messages, inFlight, async () => {
            const nowMs = Date.now()
            const id = timeOrderedId(nowMs)
            const attributes = headers()
            for (const [name, value] of headerLines(id, nowMs)) attributes.set(name, value)
            await js.publish(subject, JSON.stringify(order), { msgID: id, headers: attributes })
            ledger?.sent(id, orderText)
          }),
        collect: (ledger) => collectStream(place, ledger),
        stop: place.drop,
      }
    },
  }
}
