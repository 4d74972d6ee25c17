import { memoryTransport, type Transport } from '@evt/core'
import { blocking, duplicating, failing, recording, reordering, wrapConsumers, wrapTransport } from '../src/index.ts'
import { consumeAs, outgoing, topic } from './harness.ts'

const wrappers: Record<string, (transport: ReturnType<typeof memoryTransport>) => ReturnType<typeof memoryTransport>> =
  {
    wrapTransport: (transport) => wrapTransport(transport, {}),
    duplicating: (transport) => duplicating(transport, { share: 0 }),
    reordering: (transport) => reordering(transport, { window: 3 }),
    recording,
    failing: (transport) => failing(transport, {}),
    blocking: (transport) => blocking(transport, []),
  }

for (const [name, wrap] of Object.entries(wrappers)) {
  test(`${name} leaves support, lag, dead letters and counters of the transport visible`, async () => {
    const inner = memoryTransport({ overflow: 'dropNewest', maxMessages: 2 })
    const transport = wrap(inner)
    await transport.open()
    const consumer = await consumeAs(transport, 'g')
    await transport.publish([outgoing('1'), outgoing('2'), outgoing('3')])
    expect(transport.supports).toBe(inner.supports)
    expect(await transport.inspect(topic)).toMatchObject([{ consumer: 'g', lag: 2 }])
    expect(transport.dropped).toBe(1)
    expect(transport.deadLetters()).toEqual([])
    expect('dropped' in transport).toBe(true)
    await consumer.close()
    await transport.close()
  })
}

test('a getter is asked at every look, and a transport with private fields keeps working', () => {
  class Opening {
    readonly name = 'opening'
    #probed = false
    get supports() {
      return { ...memoryTransport().supports, groups: this.#probed }
    }
    async open() {
      this.#probed = true
    }
  }
  const inner = new Opening() as unknown as Transport
  const transport = wrapTransport(inner, {})
  expect(transport.supports.groups).toBe(false)
  void transport.open()
  expect(transport.supports.groups).toBe(true)
})

test('an override is used also where the original is frozen, and shows up in a copy', () => {
  const transport = wrapTransport(Object.freeze(memoryTransport()), { name: 'mine' })
  expect([transport.name, { ...transport }.name]).toEqual(['mine', 'mine'])
})

test('a consumer’s verbs are replaced one by one and the others are passed on', async () => {
  const inner = memoryTransport()
  const transport = wrapTransport(inner, {
    consume: wrapConsumers(inner, (_consumer, spec) => ({
      extend: async () => Promise.reject(new Error(spec.consumer)),
    })),
  })
  const consumer = await consumeAs(transport, 'g')
  await transport.publish([outgoing('1')])
  const [delivery] = await consumer.read({ messages: 1, bytes: 10 }, AbortSignal.timeout(1_000))
  await expect(consumer.extend([delivery!])).rejects.toThrow('g')
  expect(await consumer.settle([{ delivery: delivery!, as: 'ack' }])).toEqual([])
})
