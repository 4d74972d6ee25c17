import { nats, natsFloor, type RunningServer } from '@evt/servers'
import { jetstreamTransport, natsTransport } from '../src/index.ts'
import { openProxy } from './proxy.ts'
import {
  acks,
  atCrashPoint,
  client,
  eventually,
  listener,
  outgoing,
  quietMs,
  readSome,
  specOf,
  textOf,
  topic,
} from './rig.ts'

jest.setTimeout(60_000)

for (const server of [nats, natsFloor]) {
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

    it('gives back only the hand-over that it had, though the answer to that got lost and it is tried again', async () => {
      const proxy = await openProxy(running.url)
      const transport = jetstreamTransport({ connection: () => client(proxy.url), answerTimeoutMs: 500 })
      await transport.open()
      const consumer = await transport.consume(specOf('a'), listener())
      expect(await transport.publish([outgoing('one')])).toEqual([])
      const [first] = await readSome(consumer, 1)
      const release = [{ delivery: first!, as: 'release' as const, attempt: 1 }]
      // The attempt is written by then: what is not answered is that it was given back.
      const restore = atCrashPoint('jetstream.attemptsWritten', () => proxy.mute())
      await expect(consumer.settle(release)).rejects.toMatchObject({ retryable: true })
      restore()
      // What is asked for before that would go the way of the answer.
      await eventually(async () => {
        return (await transport.inspect(topic).catch(() => [])).length === 1
      }, 'the connection is replaced')
      const [second] = await readSome(consumer, 1)
      expect(second).toMatchObject({ deliveries: 2 })
      expect(await consumer.settle(release)).toHaveLength(1)
      expect(await readSome(consumer, 1, quietMs)).toEqual([])
      expect(await consumer.settle(acks([second!]))).toEqual([])
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
