/** A process of its own that takes messages and does nothing with them, until it is killed. */
import { kafkaTransport } from '../src/index.ts'
import { consumeAs, readSome, topic } from './raw.ts'

const [broker = '', prefix = '', count = ''] = process.argv.slice(2)
const transport = kafkaTransport({ brokers: [broker], prefix, sessionMs: 6_000 })
await transport.open()
await transport.declare({ name: topic, partitions: undefined })
const consumer = await consumeAs(transport, 'a')
const read = await readSome(consumer, Number(count))
await consumer.settle(read.slice(0, 1).map((delivery) => ({ delivery, as: 'started' as const })))
process.stdout.write(`holds ${read.length}\n`)
setInterval(() => undefined, 1_000)
