import { systemClock } from '@evt/core'
import { nats, natsFloor } from '@evt/servers'
import {
  acks,
  atCrashPoint,
  eventually,
  jetstreamPlace,
  listener,
  outgoing,
  quietMs,
  readSome,
  specOf,
  textOf,
  topic,
} from './rig.ts'

for (const server of [nats, natsFloor]) {
  server.describe(`settling on JetStream of ${server.name}`, () => {
    const { at, open, stream } = jetstreamPlace(server)

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
      at.connection.subscribe(`$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.${stream()}.>`, {
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

    it('gives back nothing whose lease has ended while its attempt was written', async () => {
      let aheadMs = 0
      const clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + aheadMs }
      const transport = await open({ clock })
      await transport.publish([outgoing('one')])
      const consumer = await transport.consume(specOf('a'), listener())
      const [held] = await readSome(consumer, 1)
      const restore = atCrashPoint('jetstream.attemptsWritten', () => {
        aheadMs = 30_000
      })
      const release = { delivery: held!, as: 'release' as const, attempt: 1 }
      expect(await consumer.settle([release])).toMatchObject([{ delivery: held }])
      restore()
      const next = await (await open()).consume(specOf('a'), listener())
      expect(await readSome(next, 1, quietMs)).toEqual([])
      await consumer.close()
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

    it('takes a note of attempts that somebody else wrote over for none, and goes on reading', async () => {
      const transport = await open()
      const notes = ['null', 'no json', '7', '{"attempt":-2}', '{"attempt":"2"}']
      const consumer = await transport.consume(specOf('a'), listener())
      await transport.publish(notes.map((note) => outgoing(note)))
      const first = await readSome(consumer, notes.length)
      await consumer.settle(first.map((delivery) => ({ delivery, as: 'retry' as const, attempt: 3, afterMs: 500 })))
      const manager = await at.connection.jetstreamManager()
      const info = await manager.streams.info(`${stream()}__attempts`, { subjects_filter: '>' })
      const subjects = Object.keys(info.state.subjects ?? {})
      for (const [index, note] of notes.entries()) await at.connection.jetstream().publish(subjects[index]!, note)
      const again = await readSome(consumer, notes.length)
      expect(again.map(textOf).sort()).toEqual([...notes].sort())
      expect(again.map(({ attempt }) => attempt)).toEqual(notes.map(() => 1))
      await consumer.settle(acks(again))
      await consumer.close()
    })

    it('keeps the dead letters of what somebody else published with headers that may not be sent', async () => {
      const transport = await open()
      await transport.declare({ name: topic, partitions: undefined })
      const consumer = await transport.consume(specOf('a'), listener())
      const lines = ['bad name: x', 'näme: x', 'content-type: ä%', 'traceparent: \u0001', `long: ${'x'.repeat(20_000)}`]
      for (const line of lines) {
        const headers = { encode: () => Buffer.from(`NATS/1.0\r\n${line}\r\n\r\n`) } as never
        at.connection.publish(`${at.prefix}.${topic}`, Buffer.from(line), { headers })
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

    it('keeps the dead letter of what is as large as the server lets a message be, and knows whose it is', async () => {
      const transport = await open()
      await transport.declare({ name: topic, partitions: undefined })
      const consumer = await transport.consume(specOf('a-b.c'), listener())
      const headers = { encode: () => Buffer.from('NATS/1.0\r\nnote: x\r\n\r\n') } as never
      const payload = Buffer.alloc(at.connection.info!.max_payload - 21, 'x')
      at.connection.publish(`${at.prefix}.${topic}`, payload, { headers })
      const [held] = await readSome(consumer, 1)
      await consumer.settle([{ delivery: held!, as: 'deadLetter', reason: 'never', history: [] }])
      const [letter] = await transport.readDeadLetters(topic, { after: undefined, limit: 10 })
      expect(letter).toMatchObject({ consumer: 'test/a-b.c', position: held!.position, headers: { note: 'x' } })
      expect(payload.equals(letter!.payload)).toBe(true)
      await consumer.close()
    })

    it('keeps a dead letter whose errors are longer than the headers of a message may be, with as many as fit', async () => {
      const transport = await open()
      await transport.publish([outgoing('one')])
      const consumer = await transport.consume(specOf('a'), listener())
      const [held] = await readSome(consumer, 1)
      // Percent-encoded, each of these letters takes six bytes.
      const message = 'ж'.repeat(2_000)
      const record = { name: 'Error', message, code: undefined, at: '2026-01-01T00:00:00.000Z' }
      const history = [1, 2, 3, 4, 5, 6].map((attempt) => ({ ...record, attempt }))
      await consumer.settle([{ delivery: held!, as: 'deadLetter', reason: message, history }])
      const [letter] = await transport.readDeadLetters(topic, { after: undefined, limit: 10 })
      expect(letter).toMatchObject({ consumer: 'test/a', reason: message })
      expect(textOf(letter as never)).toBe('one')
      expect(letter!.history.map(({ attempt }) => attempt)).toEqual([3, 4, 5, 6])
      await consumer.close()
    })

    it('keeps what cannot be kept whole as a dead letter without its headers or payload, and tells where that is', async () => {
      const transport = await open()
      await transport.declare({ name: topic, partitions: undefined })
      const consumer = await transport.consume(specOf('a'), listener())
      // A letter percent-encodes them, which makes them three times as long.
      const send = (letters: number, size: number) => {
        const headers = {
          encode: () => Buffer.from(`NATS/1.0\r\ncontent-type: ${'ä'.repeat(letters)}\r\n\r\n`),
        } as never
        at.connection.publish(`${at.prefix}.${topic}`, Buffer.alloc(size, 'x'), { headers })
      }
      const max = at.connection.info!.max_payload
      send(30_000, 900_000)
      send(40, max - 108)
      await transport.publish([outgoing('small')])
      const held = [
        ...(await readSome(consumer, 1)),
        ...(await readSome(consumer, 1)),
        ...(await readSome(consumer, 1)),
      ]
      const letters = held.map((delivery) => ({ delivery, as: 'deadLetter' as const, reason: 'never', history: [] }))
      expect(await consumer.settle(letters)).toEqual([])
      const kept = await transport.readDeadLetters(topic, { after: undefined, limit: 10 })
      expect(kept.map(({ payload }) => payload.byteLength)).toEqual([900_000, 0, 5])
      expect(kept.map((letter) => Object.keys(letter.headers).length > 0)).toEqual([false, false, true])
      expect(kept[0]).toMatchObject({ consumer: 'test/a', position: held[0]!.position, key: undefined })
      expect(kept[0]!.reason).toBe(
        `never (its headers are too large for a letter and were left at sequence ${held[0]!.position} of ${stream()})`,
      )
      expect(kept[1]!.reason).toContain(`(its ${max - 108} bytes and headers are too large`)
      expect(await transport.inspect(topic)).toMatchObject([{ running: 0, deadLettered: 3 }])
      await consumer.close()
    })
  })
}
