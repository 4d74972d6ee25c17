import { systemClock } from '@evt/core'
import { type FreshPrefix, nats, natsFloor, type RunningServer } from '@evt/servers'
import type { NatsConnection } from 'nats'
import { jetstreamTransport, natsTransport } from '../src/index.ts'
import { openProxy } from './proxy.ts'
import { acks, client, eventually, listener, outgoing, quietMs, readSome, specOf, textOf, topic } from './rig.ts'

// NATS 2.9 is silent about a consumer that is gone: it is noticed when a pull ends without a word, after six seconds.
jest.setTimeout(60_000)

for (const server of [nats, natsFloor]) {
  server.describe(`JetStream on ${server.name}, when things go wrong`, () => {
    let place: FreshPrefix
    let connection: NatsConnection
    beforeEach(async () => {
      place = await server.fresh()
      connection = await client(place.url)
    })
    afterEach(async () => {
      await connection.close()
      await place.drop()
    })
    const open = async (options: Partial<Parameters<typeof jetstreamTransport>[0]> = {}) => {
      const transport = jetstreamTransport({ connection, prefix: place.prefix, answerTimeoutMs: 1_000, ...options })
      await transport.open()
      return transport
    }
    const stream = () => `${place.prefix}_evt_order_created`

    it('keeps a message whose id was published before only once within the window', async () => {
      const transport = await open({ duplicateWindowMs: 60_000 })
      await transport.declare({ name: topic, partitions: undefined })
      const message = outgoing('once')
      expect(await transport.publish([message, message])).toEqual([])
      expect(await transport.publish([message])).toEqual([])
      const consumer = await transport.consume(specOf('a'), listener())
      const read = await readSome(consumer, 2, quietMs)
      expect(read.map(textOf)).toEqual(['once'])
      await consumer.close()
    })

    it('terminates a message once its dead letter is kept, and says so to whoever watches the server', async () => {
      const transport = await open()
      const letters: number[] = []
      connection.subscribe(`$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.${stream()}.>`, {
        callback: async () => {
          letters.push((await transport.readDeadLetters(topic, { after: undefined, limit: 10 })).length)
        },
      })
      await transport.publish([outgoing('one')])
      const consumer = await transport.consume(specOf('a'), listener())
      const [held] = await readSome(consumer, 1)
      await consumer.settle([{ delivery: held!, as: 'deadLetter', reason: 'never', history: [] }])
      await eventually(async () => letters.length === 1, 'the server tells of it')
      expect(letters).toEqual([1])
      const [state] = await transport.inspect(topic)
      expect(state).toMatchObject({ running: 0, deadLettered: 1 })
      await consumer.close()
    })

    it('refuses the acknowledgement of a consumer that stalled past its lease, and another gets the message', async () => {
      const transport = await open()
      await transport.publish([outgoing('one')])
      const stalled = await transport.consume(specOf('a', { leaseMs: 300 }), listener())
      const late = await readSome(stalled, 1)
      const next = await transport.consume(specOf('a', { leaseMs: 300 }), listener())
      const owned = await readSome(next, 1)
      expect(await stalled.settle(acks(late))).toMatchObject([{ delivery: late[0] }])
      expect(await stalled.extend(late)).toEqual(late)
      expect(owned[0]).toMatchObject({ deliveries: 2, suspect: true, attempt: 1 })
      expect(await next.settle(acks(owned))).toEqual([])
      await stalled.close()
      await next.close()
    })

    it('knows the attempt of a message that another process gave back, however often it was handed over', async () => {
      const transport = await open()
      await transport.publish([outgoing('one')])
      const first = await transport.consume(specOf('a'), listener())
      const [held] = await readSome(first, 1)
      await first.settle([{ delivery: held!, as: 'retry', attempt: 4, afterMs: 10 }])
      await first.close()
      const second = await (await open()).consume(specOf('a'), listener())
      const [again] = await readSome(second, 1)
      expect(again).toMatchObject({ attempt: 4, deliveries: 2, suspect: false })
      await second.settle([{ delivery: again!, as: 'release', attempt: 4 }])
      const [released] = await readSome(second, 1)
      expect(released).toMatchObject({ attempt: 4, deliveries: 3, suspect: false })
      await second.close()
    })

    it('keeps one dead letter when the process died between keeping it and settling', async () => {
      const transport = await open()
      await transport.publish([outgoing('one')])
      const died = await transport.consume(specOf('a', { leaseMs: 300 }), listener())
      const [held] = await readSome(died, 1)
      const letter = { delivery: held!, as: 'deadLetter', reason: 'never', history: [] } as const
      await died.settle([letter])
      await died.settle([letter])
      expect(await transport.readDeadLetters(topic, { after: undefined, limit: 10 })).toHaveLength(1)
      await died.close()
    })

    it('keeps the dead letters of what somebody else published with headers that may not be sent', async () => {
      const transport = await open()
      await transport.declare({ name: topic, partitions: undefined })
      const consumer = await transport.consume(specOf('a'), listener())
      const lines = ['bad name: x', 'näme: x', 'content-type: ä%', 'traceparent: \u0001', `long: ${'x'.repeat(20_000)}`]
      for (const line of lines) {
        const headers = { encode: () => Buffer.from(`NATS/1.0\r\n${line}\r\n\r\n`) } as never
        connection.publish(`${place.prefix}.${topic}`, Buffer.from(line), { headers })
      }
      const held = await readSome(consumer, lines.length)
      await consumer.settle(
        held.map((delivery) => ({ delivery, as: 'deadLetter' as const, reason: 'never', history: [] })),
      )
      const letters = await transport.readDeadLetters(topic, { after: undefined, limit: 10 })
      expect(letters.map(({ payload }) => Buffer.from(payload).toString())).toEqual(lines)
      expect(letters.map(({ headers }) => Object.entries(headers).flat().join(': '))).toEqual([
        'bad%20name: x',
        'n%C3%A4me: x',
        'content-type: %C3%A4%25',
        'traceparent: %01',
        lines[4],
      ])
      await consumer.close()
    })

    it('trims nothing that a consumer of somebody else has not acknowledged, and names it', async () => {
      const transport = await open()
      await transport.declare({ name: topic, partitions: undefined })
      const manager = await connection.jetstreamManager()
      await manager.consumers.add(stream(), { durable_name: 'theirs', ack_policy: 'explicit' as never })
      const consumer = await transport.consume(specOf('a'), listener())
      await transport.publish([outgoing('one'), outgoing('two')])
      await consumer.settle(acks(await readSome(consumer, 2)))
      expect(await transport.trim(topic)).toEqual({ removed: 0, heldBackBy: 'theirs' })
      const theirs = await connection.jetstream().consumers.get(stream(), 'theirs')
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
      const manager = await connection.jetstreamManager()
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
      const manager = await connection.jetstreamManager()
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
      const manager = await connection.jetstreamManager()
      const name = `${place.prefix}_all`
      await manager.streams.add({ name, subjects: [`${place.prefix}.evt.>`] })
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
      const manager = await connection.jetstreamManager()
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
      const manager = await connection.jetstreamManager()
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
      const manager = await connection.jetstreamManager()
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
      const manager = await connection.jetstreamManager()
      await manager.streams.purge(stream(), { keep: 3 })
      await transport.trim(topic)
      await transport.trim(topic)
      expect((await readSome(consumer, 3)).map(textOf)).toEqual(['7', '8', '9'])
      await transport.trim(topic)
      expect(told.cuts).toEqual([[5, expect.stringContaining(stream())]])
      await consumer.close()
    })

    it('sends nothing under a name with line breaks, spaces or wildcards', async () => {
      const core = natsTransport({ connection, prefix: place.prefix })
      await core.open()
      const transport = await open()
      const smuggled: number[] = []
      connection.subscribe(`${place.prefix}.smuggled`, { callback: () => smuggled.push(1) })
      await connection.flush()
      const names = [
        'a\r\nPUB x 0\r\n\r\n',
        `a 0\r\n\r\nPUB ${place.prefix}.smuggled`,
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
        expect(() => natsTransport({ connection, prefix: `x${name}\n` })).toThrow(/prefix/)
        expect(() => jetstreamTransport({ connection, inboxPrefix: `x${name}\n` })).toThrow(/inboxPrefix/)
      }
      const hostile = { ...outgoing('x'), headers: { note: 'a\r\nNats-Rollup: all', 'Nats-Rollup': 'all' } }
      expect(await transport.publish([hostile])).toMatchObject([{ outcome: 'refused' }])
      await connection.flush()
      expect(smuggled).toEqual([])
    })

    it('counts and reports what NATS core drops when a queue is full, and what is unread at the end', async () => {
      const transport = natsTransport({ connection, prefix: place.prefix, maxMessages: 10 })
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

  server.describe(`a ${server.name} that comes and goes`, () => {
    let running: RunningServer
    beforeEach(async () => {
      running = await server.start()
    })
    afterEach(() => running.stop())

    it('replaces a connection that is open at this end only, for publishers and readers', async () => {
      const proxy = await openProxy(running.url)
      const transport = jetstreamTransport({ connection: () => client(proxy.url), answerTimeoutMs: 500 })
      await transport.open()
      await transport.declare({ name: topic, partitions: undefined })
      const consumer = await transport.consume(specOf('a', { leaseMs: 3_000 }), listener())
      proxy.freeze()
      expect(await transport.publish([outgoing('nobody hears')])).toMatchObject([{ outcome: 'unknown' }])
      const heard = outgoing('heard')
      await eventually(
        async () => (await transport.publish([heard])).length === 0,
        'publishing goes on over a new connection',
      )
      const read = await readSome(consumer, 1)
      expect(read.map(textOf)).toEqual(['heard'])
      await consumer.close()
      await transport.close()
      await proxy.close()
    })

    it('closes a consumer over a connection that is open at this end only, and does not wait for it', async () => {
      for (const create of [natsTransport, jetstreamTransport]) {
        const proxy = await openProxy(running.url)
        const transport = create({ connection: () => client(proxy.url), answerTimeoutMs: 500 })
        await transport.open()
        const consumer = await transport.consume(specOf('a', { from: 'latest' }), listener())
        proxy.freeze()
        const startedMs = performance.now()
        await consumer.close()
        await transport.close()
        expect(performance.now() - startedMs).toBeLessThan(5_000)
        await proxy.close()
      }
    })

    for (const [name, create] of [
      ['NATS core', natsTransport],
      ['JetStream', jetstreamTransport],
    ] as const) {
      it(`${name} says at once that it is unavailable, sends nothing of it later, and goes on when the server is back`, async () => {
        const transport = create({ connection: () => client(running.url), answerTimeoutMs: 1_000 })
        await transport.open()
        await transport.declare({ name: topic, partitions: undefined })
        const consumer = await transport.consume(specOf('a', { from: 'latest' }), listener())
        await running.kill()
        const send = async (text: string) => {
          const failures = await transport.publish([outgoing(text)]).catch(() => [{ outcome: 'unknown' }])
          return failures[0]?.outcome
        }
        await eventually(async () => (await send('while away')) === 'unavailable', 'it says that it is unavailable')
        await running.restart()
        await eventually(async () => (await send('back')) === undefined, 'it publishes again')
        const read = await readSome(consumer, 1)
        expect(read.map(textOf)).toEqual(['back'])
        await consumer.close()
        await transport.close()
      })
    }
  })
}
