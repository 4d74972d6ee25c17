import { eventually } from '@evt/core/conformance'
import { nats, natsFloor } from '@evt/servers'
import { jetstreamTransport, natsTransport } from '../src/index.ts'
import { acks, jetstreamPlace, listener, outgoing, readSome, specOf, textOf, topic } from './rig.ts'

for (const server of [nats, natsFloor]) {
  server.describe(`reading from ${server.name}`, () => {
    const { at } = jetstreamPlace(server)

    it('goes on from pull to pull without a failure, and never gives more than there was room for', async () => {
      // So large that what was asked for comes in parts, and the next is asked for in between.
      const sent = Array.from({ length: 300 }, (_each, n) => `${n} `.padEnd(10_000, 'x'))
      const transport = jetstreamTransport({ ...at })
      await transport.open()
      await transport.publish(sent.map((text) => outgoing(text)))
      const consumer = await transport.consume(specOf('a'), listener())
      const signal = AbortSignal.timeout(10_000)
      const room = { messages: 20, bytes: 1_000_000 }
      const read: string[] = []
      const settling: Promise<unknown>[] = []
      while (read.length < sent.length && !signal.aborted) {
        const some = await consumer.read(room, signal)
        expect(some.length).toBeLessThanOrEqual(room.messages)
        read.push(...some.map(textOf))
        settling.push(consumer.settle(acks(some)))
      }
      expect(read).toEqual(sent)
      await Promise.all(settling)
      await consumer.close()
    })

    it('asks for more before the last pull has ended, once a quarter of the room is free, and for its share of the bytes', async () => {
      const transport = jetstreamTransport({ ...at })
      await transport.open()
      const consumer = await transport.consume(specOf('a'), listener())
      const pulls: { readonly batch: number; readonly max_bytes: number }[] = []
      const stream = `${at.prefix}.${topic}`.replaceAll('.', '_')
      at.connection.subscribe(`$JS.API.CONSUMER.MSG.NEXT.${stream}.>`, {
        callback: (_error, message) => void pulls.push(message.json()),
      })
      const stop = new AbortController()
      const read = () => consumer.read({ messages: 8, bytes: 8_000 }, stop.signal)
      for (const text of ['a', 'b']) {
        const reading = read()
        await transport.publish([outgoing(text)])
        expect((await reading).map(textOf)).toEqual([text])
      }
      const last = read()
      await eventually(async () => pulls.length === 2, 'it has asked twice')
      expect(pulls).toMatchObject([
        { batch: 8, max_bytes: 8_000 },
        { batch: 2, max_bytes: 2_000 },
      ])
      stop.abort()
      expect(await last).toEqual([])
      await consumer.close()
    })

    it('refuses to settle what a server that came back does not know it handed over, and is given it again', async () => {
      const transport = jetstreamTransport({ ...at })
      await transport.open()
      await transport.publish(['a', 'b', 'c'].map((text) => outgoing(text)))
      const consumer = await transport.consume(specOf('a'), listener())
      const read = await readSome(consumer, 3)
      // As after a kill: the consumer is there, and stands where it stood before.
      const manager = await at.connection.jetstreamManager()
      const stream = await manager.streams.find(`${at.prefix}.${topic}`)
      const [info] = await manager.consumers.list(stream).next()
      await manager.consumers.delete(stream, info!.name)
      await manager.consumers.add(stream, info!.config)
      await at.connection.reconnect()
      // Until the connection is up again, nobody can be asked.
      const lost = () => consumer.extend(read).catch(() => [])
      await eventually(async () => (await lost()).length === 3, 'their leases are lost')
      expect((await consumer.settle(acks(read))).map(({ delivery }) => delivery)).toEqual(read)
      expect((await readSome(consumer, 3)).map(textOf)).toEqual(['a', 'b', 'c'])
      await consumer.close()
    })

    for (const [name, create] of [
      ['NATS core', natsTransport],
      ['JetStream', jetstreamTransport],
    ] as const) {
      it(`hands over over ${name} what somebody else published with headers that nobody can read, and what comes after`, async () => {
        const transport = create({ ...at })
        await transport.open()
        await transport.declare({ name: topic, partitions: undefined })
        const consumer = await transport.consume(specOf('a', { from: 'latest' }), listener())
        const blocks = [
          'NATS/1.0\r\nbad name: x\r\nce-id: 1\r\n\r\n',
          'NATS/1.0\r\nno colon\r\nce-id: 2\r\n\r\n',
          'NATS/1.0\r\nce-id: \u0001\u0002\r\n\r\n',
          'NATS/1.0\r\nce-id: ä 3\r\n\r\n',
          'NATS/1.0\r\n\r\n',
        ]
        for (const block of blocks) {
          const headers = { encode: () => Buffer.from(block) } as never
          at.connection.publish(`${at.prefix}.${topic}`, Buffer.from('foreign'), { headers })
        }
        at.connection.publish(`${at.prefix}.${topic}`, Buffer.from('no headers'))
        await at.connection.flush()
        expect(await transport.publish([outgoing('ours')])).toEqual([])
        const read = await readSome(consumer, blocks.length + 2)
        expect(read.map(textOf)).toEqual([...blocks.map(() => 'foreign'), 'no headers', 'ours'])
        expect(read.map(({ headers }) => headers['ce-id']).slice(0, 6)).toEqual([
          '1',
          '2',
          '\u0001\u0002',
          'ä 3',
          undefined,
          undefined,
        ])
        expect(read.at(-1)!.headers).toMatchObject({ 'ce-type': 'order.created', 'content-type': 'application/json' })
        await consumer.close()
      })
    }
  })
}
