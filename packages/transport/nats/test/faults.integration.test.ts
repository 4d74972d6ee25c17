import { systemClock } from '@evt/core'
import { nats, natsFloor } from '@evt/servers'
import { jetstreamTransport, natsTransport } from '../src/index.ts'
import { acks, eventually, jetstreamPlace, listener, outgoing, readSome, specOf, textOf, topic } from './rig.ts'

// NATS 2.9 is silent about a consumer that is gone: it is noticed when a pull ends without a word, after six seconds.
jest.setTimeout(60_000)

for (const server of [nats, natsFloor]) {
  server.describe(`JetStream on ${server.name}, when others change what is there`, () => {
    const { at, open, stream } = jetstreamPlace(server)

    it('trims nothing that a consumer of somebody else has not acknowledged, and names it', async () => {
      const transport = await open()
      await transport.declare({ name: topic, partitions: undefined })
      const manager = await at.connection.jetstreamManager()
      await manager.consumers.add(stream(), { durable_name: 'theirs', ack_policy: 'explicit' as never })
      const consumer = await transport.consume(specOf('a'), listener())
      await transport.publish([outgoing('one'), outgoing('two')])
      await consumer.settle(acks(await readSome(consumer, 2)))
      expect(await transport.trim(topic)).toEqual({ removed: 0, heldBackBy: 'theirs' })
      const theirs = await at.connection.jetstream().consumers.get(stream(), 'theirs')
      for (const _message of [1, 2]) await (await theirs.next())!.ackAck()
      expect(await transport.trim(topic)).toEqual({ removed: 2, heldBackBy: null })
      await consumer.close()
    })

    it('makes a consumer that was deleted again, says so, and goes on behind what the group had acknowledged', async () => {
      const transport = await open()
      const told = listener()
      const consumer = await transport.consume(specOf('a'), told)
      await transport.publish([outgoing('one')])
      await consumer.settle(acks(await readSome(consumer, 1)))
      await transport.publish([outgoing('two')])
      await transport.trim(topic)
      const manager = await at.connection.jetstreamManager()
      const [info] = await manager.consumers.list(stream()).next()
      await manager.consumers.delete(stream(), info!.name)
      const read = await readSome(consumer, 1)
      expect(read.map(textOf)).toEqual(['two'])
      expect(told.made).toEqual([`consumer ${info!.name}`])
      await consumer.close()
    })

    it('makes a stream that was deleted again and refuses what was read from the one before', async () => {
      const transport = await open()
      const told = listener()
      const consumer = await transport.consume(specOf('a'), told)
      await transport.publish([outgoing('before')])
      const held = await readSome(consumer, 1)
      const manager = await at.connection.jetstreamManager()
      await manager.streams.delete(stream())
      expect(await transport.publish([outgoing('lost')])).toMatchObject([{ index: 0, outcome: 'unavailable' }])
      expect(await transport.publish([outgoing('after')])).toEqual([])
      const read = await readSome(consumer, 1)
      expect(read.map(textOf)).toEqual(['after'])
      expect(await consumer.settle(acks(held))).toHaveLength(1)
      expect(told.made.some((what) => what.startsWith('consumer'))).toBe(true)
      await consumer.close()
    })

    it("makes a consumer in somebody else's stream again where the group had acknowledged up to, as last looked at", async () => {
      const manager = await at.connection.jetstreamManager()
      const name = `${at.prefix}_all`
      await manager.streams.add({ name, subjects: [`${at.prefix}.evt.>`] })
      let aheadMs = 0
      const clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + aheadMs }
      const transport = await open({ stream: name, clock })
      const told = listener()
      const consumer = await transport.consume(specOf('a'), told)
      await transport.publish([outgoing('one'), outgoing('two')])
      for (const delivery of await readSome(consumer, 2)) {
        await consumer.settle(acks([delivery]))
        aheadMs += 6_000
      }
      // An answer of the server to this says that it has answered everything before.
      await transport.inspect(topic)
      const [info] = await manager.consumers.list(name).next()
      await manager.consumers.delete(name, info!.name)
      await transport.publish([outgoing('three')])
      const read = await readSome(consumer, 1)
      expect(read.map(textOf)).toEqual(['three'])
      expect(told.made).toEqual([`consumer ${info!.name}`])
      await consumer.close()
    })

    it("leaves what is missing alone under onMissing 'fail' and names it", async () => {
      const transport = await open({ onMissing: 'fail' })
      const consumer = await transport.consume(specOf('a'), listener())
      const manager = await at.connection.jetstreamManager()
      const [info] = await manager.consumers.list(stream()).next()
      await manager.consumers.delete(stream(), info!.name)
      await expect(readSome(consumer, 1)).rejects.toMatchObject({ code: 'EVT_NATS_MISSING' })
      await consumer.close()
    })

    it('goes on as an ephemeral reader where it was when the server forgot it', async () => {
      const transport = await open()
      await transport.publish([outgoing('before')])
      const told = listener()
      const ephemeral = { consumer: 'test/live@1', as: { reader: 'ephemeral' }, from: 'latest' } as const
      const reader = await transport.consume(specOf('live', ephemeral), told)
      const manager = await at.connection.jetstreamManager()
      const forget = async () => {
        const [info] = await manager.consumers.list(stream()).next()
        await manager.consumers.delete(stream(), info!.name)
      }
      await forget()
      await transport.publish([outgoing('one')])
      const one = await readSome(reader, 1)
      expect(one.map(textOf)).toEqual(['one'])
      await reader.settle(acks(one))
      await forget()
      await transport.publish([outgoing('two')])
      expect((await readSome(reader, 1)).map(textOf)).toEqual(['two'])
      expect(told.made).toHaveLength(2)
      await reader.close()
    })

    it('reports unread messages that the limits of an operator removed', async () => {
      const transport = await open()
      const told = listener()
      await transport.consume(specOf('a'), told)
      await transport.publish([outgoing('one'), outgoing('two'), outgoing('three')])
      const manager = await at.connection.jetstreamManager()
      await manager.streams.update(stream(), { max_msgs: 1 })
      await transport.trim(topic)
      await transport.trim(topic)
      expect(told.cuts).toEqual([[2, expect.stringContaining(stream())]])
    })

    it('reports unread messages that somebody purged, though the server takes the consumer along', async () => {
      const transport = await open()
      const told = listener()
      const consumer = await transport.consume(specOf('a'), told)
      await transport.publish(Array.from({ length: 10 }, (_each, n) => outgoing(String(n))))
      await consumer.settle(acks(await readSome(consumer, 2)))
      const manager = await at.connection.jetstreamManager()
      await manager.streams.purge(stream(), { keep: 3 })
      await transport.trim(topic)
      await transport.trim(topic)
      expect((await readSome(consumer, 3)).map(textOf)).toEqual(['7', '8', '9'])
      await transport.trim(topic)
      expect(told.cuts).toEqual([[5, expect.stringContaining(stream())]])
      await consumer.close()
    })

    it('sends nothing under a name with line breaks, spaces or wildcards', async () => {
      const core = natsTransport({ connection: at.connection, prefix: at.prefix })
      await core.open()
      const transport = await open()
      const smuggled: number[] = []
      at.connection.subscribe(`${at.prefix}.smuggled`, { callback: () => smuggled.push(1) })
      await at.connection.flush()
      const names = [
        'a\r\nPUB x 0\r\n\r\n',
        `a 0\r\n\r\nPUB ${at.prefix}.smuggled`,
        'a b',
        'a.*',
        'a.>',
        '',
        '.a',
        'a..b',
      ]
      for (const name of names) {
        for (const each of [core, transport]) {
          const [failure] = await each.publish([outgoing('bad', name)])
          expect(failure).toMatchObject({ outcome: 'refused', error: { code: 'EVT_NAME_INVALID' } })
          const declaring = (async () => each.declare({ name, partitions: undefined }))()
          await expect(declaring).rejects.toMatchObject({ code: 'EVT_NAME_INVALID' })
          const consuming = (async () => each.consume(specOf('a', { topic: name }), listener()))()
          await expect(consuming).rejects.toMatchObject({ code: 'EVT_NAME_INVALID' })
          const reading = (async () => each.readDeadLetters(name, { after: undefined, limit: 1 }))()
          await expect(reading).rejects.toHaveProperty('code')
        }
        expect(() => natsTransport({ connection: at.connection, prefix: `x${name}\n` })).toThrow(/prefix/)
        expect(() => jetstreamTransport({ connection: at.connection, inboxPrefix: `x${name}\n` })).toThrow(
          /inboxPrefix/,
        )
      }
      const hostile = { ...outgoing('x'), headers: { note: 'a\r\nNats-Rollup: all', 'Nats-Rollup': 'all' } }
      expect(await transport.publish([hostile])).toMatchObject([{ outcome: 'refused' }])
      await at.connection.flush()
      expect(smuggled).toEqual([])
    })

    it('counts and reports what NATS core drops when a queue is full, and what is unread at the end', async () => {
      const transport = natsTransport({ connection: at.connection, prefix: at.prefix, maxMessages: 10 })
      await transport.open()
      const told = listener()
      const consumer = await transport.consume(specOf('a', { from: 'latest' }), told)
      expect(await transport.publish(Array.from({ length: 25 }, (_each, n) => outgoing(String(n))))).toEqual([])
      await eventually(async () => told.cuts.length === 1, 'drops are reported')
      expect(told.cuts[0]).toEqual([15, expect.stringContaining('10 messages')])
      await readSome(consumer, 4)
      await consumer.close()
      expect(told.cuts[1]).toEqual([6, expect.stringContaining('closed')])
    })
  })
}
