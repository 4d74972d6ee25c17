import { createBus, silentLogger } from '@evt/core'
import { jetstreamTransport } from '@evt/transport-nats'
import { AckPolicy, type JsMsg } from 'nats'
import { createStream, type JetstreamPlace, jetstreamPlace, orderText, publisherByHand } from './jetstream.ts'
import { type Order, OrderCreated, order } from './order.ts'
import { sideBySide } from './side-by-side.ts'
import type { Contender, Running, Workload } from './workload.ts'

const handlersAtOnce = 100
/** What may be fetched and not started, ours by default and the client's by this option. */
const ahead = 2 * handlersAtOnce

/** A backlog is read, decoded, handled and acknowledged message by message. */
export const workloads: readonly Workload[] = [
  {
    kind: 'throughput',
    id: 'w7.consume',
    title: 'JetStream: a backlog read with explicit acknowledgement, 100 handlers at a time',
    messages: 40_000,
    checked: 'everyRound',
    servers: ['nats'],
    contenders: [clientConsume(), evt()],
    goals: [
      { text: 'of the speed of a loop over nats.js', value: (read) => read.ratio('evt', 'nats.js'), atLeast: 0.9 },
      {
        text: 'µs of own processor time a message',
        value: (read) => read.figure('evt', 'cpu µs') - read.figure('nats.js', 'cpu µs'),
        atMost: 2,
      },
    ],
  },
]

/** Fills the stream before the clock starts and empties it afterwards. */
function around(place: JetstreamPlace): Pick<Running, 'prepare' | 'collect' | 'stop'> {
  const publish = publisherByHand(place)
  return {
    prepare: (messages, ledger) =>
      sideBySide(messages, 1_000, async () => ledger?.sent(await publish(order), orderText)),
    async collect() {
      const manager = await place.connection.jetstreamManager()
      await manager.streams.purge(place.stream)
    },
    stop: place.drop,
  }
}

/** The client's own loop: it pulls again when a quarter of what it asked for is left. */
function clientConsume(): Contender {
  return {
    name: 'nats.js',
    async start() {
      const place = await jetstreamPlace()
      await createStream(place)
      const { connection, stream } = place
      const manager = await connection.jetstreamManager()
      await manager.consumers.add(stream, {
        durable_name: 'bench',
        ack_policy: AckPolicy.Explicit,
        max_ack_pending: -1,
      })
      const consumer = await connection.jetstream().consumers.get(stream, 'bench')
      return {
        ...around(place),
        async run(messages, ledger) {
          const handler = async (payload: Order, message: JsMsg) => {
            if (payload.id.length > 0) ledger?.handled(message.headers!.get('ce-id'))
          }
          let left = messages
          let finished = () => {}
          const all = new Promise<void>((resolve) => {
            finished = resolve
          })
          const reading = await consumer.consume({
            max_messages: ahead,
            callback(message) {
              void handler(message.json<Order>(), message).then(() => {
                message.ack()
                left -= 1
                if (left === 0) finished()
              })
            },
          })
          await all
          await reading.close()
          await connection.flush()
        },
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
      await bus.register([OrderCreated])
      return {
        ...around(place),
        async run(messages, ledger) {
          let left = messages
          let finished = () => {}
          const all = new Promise<void>((resolve) => {
            finished = resolve
          })
          const handler = async (payload: Order, { id }: { readonly id: string }) => {
            if (payload.id.length > 0) ledger?.handled(id)
            left -= 1
            if (left === 0) finished()
          }
          const subscription = await bus.subscribe(OrderCreated, handler, {
            group: 'bench',
            concurrency: handlersAtOnce,
          })
          await all
          // Closing waits until everything is acknowledged.
          await subscription.close()
        },
        async stop() {
          await bus.close()
          await place.drop()
        },
      }
    },
  }
}
