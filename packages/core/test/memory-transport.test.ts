import { codecCases, transportCases } from '../src/conformance/index.ts'
import { jsonCodec, memoryTransport, type Transport } from '../src/index.ts'

describe('the memory transport', () => {
  for (const { name, run } of transportCases({ create: async () => memoryTransport() })) test(name, run)

  test('positions, which name dead letters, are other ones in the next run', async () => {
    const positions = await Promise.all([memoryTransport(), memoryTransport()].map(firstPosition))
    expect(positions[0]).not.toBe(positions[1])
  })
})
describe('the JSON codec', () => {
  const samples = [{ a: 1, b: ['x', null, { c: 'ü😀' }] }, [], 'text', 0, null]
  for (const { name, run } of codecCases(jsonCodec, samples)) test(name, run)
})

async function firstPosition(transport: Transport): Promise<string> {
  const events = { revoking: async () => undefined, lost() {}, cut() {}, recreated() {} }
  const as = { group: 'g' }
  const spec = { topic: 't', consumer: 'g', as, from: 'earliest', ordered: 'none', leaseMs: 30_000 } as const
  const consumer = await transport.consume(spec, events)
  await transport.publish([{ id: 'a', topic: 't', key: undefined, headers: {}, payload: Buffer.from('a') }])
  const [delivery] = await consumer.read({ messages: 1, bytes: 1_000 }, new AbortController().signal)
  await consumer.close()
  await transport.close()
  return delivery!.position
}
