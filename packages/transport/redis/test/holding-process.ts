/** A process of its own that takes messages and does nothing with them, until it is killed. */
import { consumeAs, readSome, testPlace } from './test-place.ts'

const [url = '', prefix = '', leaseMs = '', count = ''] = process.argv.slice(2)
const consumer = await consumeAs(await testPlace(url, prefix).transport(), 'a', { leaseMs: Number(leaseMs) })
const read = await readSome(consumer, Number(count))
await consumer.settle(read.slice(0, 1).map((delivery) => ({ delivery, as: 'started' as const })))
process.stdout.write(`holds ${read.length}\n`)
// Leases are renewed by core, which is not here: the reader goes on reading, and so keeps its session.
for (;;) await consumer.read({ messages: 1, bytes: 1_000 }, new AbortController().signal)
