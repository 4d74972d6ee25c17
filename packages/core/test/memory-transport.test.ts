import { codecCases, transportCases } from '../src/conformance/index.ts'
import {
  type Consumer,
  jsonCodec,
  type MemoryTransportOptions,
  memoryTransport,
  type PublishFailure,
  type Transport,
  type TransportDelivery,
} from '../src/index.ts'
import { virtualClock } from './virtual-clock.ts'

/** Core knows its own memory transport and takes short cuts with it. A wrapped one it treats like any other. */
const wrapped = async (): Promise<Transport> => ({ ...memoryTransport() })
const modes: Record<string, MemoryTransportOptions> = {
  'the memory transport': {},
  'the memory transport that confirms when settled': { confirm: 'settled' },
  'the memory transport by reference': { byReference: true },
  'the memory transport by reference that confirms when settled': { byReference: true, confirm: 'settled' },
}

for (const [mode, options] of Object.entries(modes)) {
  describe(mode, () => {
    for (const { name, run } of transportCases({ create: async () => memoryTransport(options) })) test(name, run)
  })
}
describe('the memory transport, wrapped', () => {
  for (const { name, run } of transportCases({ create: wrapped })) test(name, run)
})
describe('a memory transport', () => {
  test('positions, which name dead letters, are other ones in the next run', async () => {
    const positions = await Promise.all([memoryTransport(), memoryTransport()].map(firstPosition))
    expect(positions[0]).not.toBe(positions[1])
  })
  test('publishes that wait for room when it closes are told that they were not accepted', async () => {
    const transport = memoryTransport({ maxMessages: 1 })
    await consume(transport)
    const [first, ...others] = ['a', 'b', 'c'].map((text) => publish(transport, text))
    expect(await first).toEqual([])
    await transport.close()
    const closed = {
      index: 0,
      outcome: 'unavailable',
      error: expect.objectContaining({ code: 'EVT_TRANSPORT_CLOSED' }),
    }
    expect(await Promise.all(others)).toEqual([[closed], [closed]])
  })
  test('a publish after its close is refused like that of any other transport, until it is opened again', async () => {
    const transport = memoryTransport()
    expect(await publish(transport, 'a')).toEqual([])
    await transport.close()
    const error = expect.objectContaining({ code: 'EVT_TRANSPORT_CLOSED' })
    expect(await publish(transport, 'b')).toEqual([{ index: 0, outcome: 'unavailable', error }])
    await transport.open()
    expect(await publish(transport, 'c')).toEqual([])
    const consumer = await consume(transport)
    const read = await consumer.read({ messages: 9, bytes: 1_000 }, AbortSignal.timeout(50))
    expect(read.map(textOf)).toEqual(['a', 'c'])
  })
  test('opened again it goes on: what was delayed comes when it is due, what was leased when its lease ends', async () => {
    const clock = virtualClock()
    const transport = memoryTransport({ clock })
    const consumer = await consume(transport, 'g', 5_000)
    await publish(transport, 'delayed')
    await publish(transport, 'leased')
    const room = { messages: 9, bytes: 1_000 }
    const [delayed] = await consumer.read(room, AbortSignal.timeout(50))
    await consumer.settle([{ delivery: delayed!, as: 'retry', attempt: 2, afterMs: 1_000 }])
    await transport.close()
    await clock.advance(500)
    await transport.open()
    const states: (number | null | undefined)[] = []
    for (const ms of [499, 1, 4_500]) {
      await clock.advance(ms)
      states.push((await transport.inspect('t'))[0]?.lag)
    }
    expect(states).toEqual([0, 1, 2])
  })
  test('a renewed lease ends by its own time, whatever the clock on the wall says', async () => {
    // promise 20
    const clock = virtualClock()
    let stepMs = 0
    const stepping = { ...clock, nowMs: () => clock.nowMs() + stepMs }
    const transport = memoryTransport({ clock: stepping })
    const consumer = await consume(transport, 'g', 5_000)
    await publish(transport, 'a')
    const held = await consumer.read({ messages: 1, bytes: 1_000 }, AbortSignal.timeout(50))
    await clock.advance(4_000)
    stepMs = 30_000
    expect(await consumer.extend(held)).toEqual([])
    const states: (number | null | undefined)[] = []
    for (const ms of [4_999, 1]) {
      await clock.advance(ms)
      states.push((await transport.inspect('t'))[0]?.lag)
    }
    expect(states).toEqual([0, 1])
  })
  test('dead letters are removed from among any number of them', async () => {
    const count = 150_000
    const transport = memoryTransport({ maxMessages: count, maxDeadLetters: count })
    const consumer = await consume(transport)
    const headers = {}
    const payload = Buffer.from('x')
    const batch = Array.from({ length: count }, (_each, n) => ({
      id: `${n}`,
      topic: 't',
      key: undefined,
      headers,
      payload,
    }))
    await transport.publish(batch)
    const read = await consumer.read({ messages: count, bytes: count }, new AbortController().signal)
    await consumer.settle(read.map((delivery) => ({ delivery, as: 'deadLetter', reason: 'no', history: [] })))
    await transport.removeDeadLetters('t', ['1', '3'])
    const left = await transport.readDeadLetters('t', { after: undefined, limit: 2 })
    expect([left.map(({ id }) => id), transport.deadLetters().length]).toEqual([['2', '4'], count - 2])
    await transport.close()
  })
  test('what a group loses by `dropOldest` is counted, also where another group has no room for the new one', async () => {
    const transport = memoryTransport({ maxMessages: 1, overflow: 'dropOldest' })
    const [idle, busy] = [await consume(transport, 'idle'), await consume(transport, 'busy')]
    const read = (consumer: Consumer) => consumer.read({ messages: 9, bytes: 1_000 }, AbortSignal.timeout(50))
    await publish(transport, 'a')
    const [held] = await read(busy)
    await publish(transport, 'b')
    await busy.settle([{ delivery: held!, as: 'ack' }])
    await publish(transport, 'c')
    const got = [await read(idle), await read(busy)].map((deliveries) => deliveries.map(textOf))
    expect(got).toEqual([['c'], ['c']])
    // What waited for the idle group made room for the second, which went because the busy one had none.
    expect(transport.dropped).toBe(2)
    await transport.close()
  })
  test('who waits for room is passed by nobody, not even while its turn comes', async () => {
    const transport = memoryTransport({ maxMessages: 1 })
    const consumer = await consume(transport)
    const publishing = [publish(transport, 'a'), publish(transport, 'b')]
    const texts: string[] = []
    for (const later of ['c', undefined, undefined]) {
      const [delivery] = await consumer.read({ messages: 1, bytes: 1_000 }, new AbortController().signal)
      texts.push(Buffer.from(delivery!.payload).toString())
      const settling = consumer.settle([{ delivery: delivery!, as: 'ack' }])
      if (later !== undefined) publishing.push(publish(transport, later))
      await settling
    }
    await Promise.all(publishing)
    expect(texts).toEqual(['a', 'b', 'c'])
    await transport.close()
  })
})
describe('the JSON codec', () => {
  const samples = [{ a: 1, b: ['x', null, { c: 'ü😀' }] }, [], 'text', 0, null]
  for (const { name, run } of codecCases(jsonCodec, samples)) test(name, run)
})

function textOf({ payload }: TransportDelivery): string {
  return Buffer.from(payload).toString()
}

function consume(transport: Transport, group: string = 'g', leaseMs: number = 30_000): Promise<Consumer> {
  const events = { revoking: async () => undefined, lost() {}, cut() {}, recreated() {} }
  const as = { group }
  const spec = { topic: 't', consumer: group, as, from: 'earliest', ordered: 'none', leaseMs } as const
  return transport.consume(spec, events)
}

function publish(transport: Transport, text: string): Promise<readonly PublishFailure[]> {
  return transport.publish([{ id: text, topic: 't', key: undefined, headers: {}, payload: Buffer.from(text) }])
}

async function firstPosition(transport: Transport): Promise<string> {
  const consumer = await consume(transport)
  await publish(transport, 'a')
  const [delivery] = await consumer.read({ messages: 1, bytes: 1_000 }, new AbortController().signal)
  await consumer.close()
  await transport.close()
  return delivery!.position
}
