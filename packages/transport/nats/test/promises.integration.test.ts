import { type Bus, createBus, silentLogger, type Transport } from '@evt/core'
import { type FreshPrefix, nats, natsFloor } from '@evt/servers'
import type { NatsConnection } from 'nats'
import { jetstreamTransport, natsTransport } from '../src/index.ts'
import { client, eventually, listener, Numbered, outgoing, quietMs, range, readSome, specOf } from './rig.ts'

jest.setTimeout(60_000)

for (const server of [nats, natsFloor]) {
  server.describe(`what is promised over ${server.name}`, () => {
    let place: FreshPrefix
    let connection: NatsConnection
    const buses: Bus[] = []
    beforeEach(async () => {
      place = await server.fresh()
      connection = await client(place.url)
    })
    afterEach(async () => {
      await Promise.all(buses.splice(0).map((bus) => bus.close({ deadlineMs: 0 })))
      await connection.close()
      await place.drop()
    })
    const busOver = (transport: Transport, onError: (error: unknown, during: string) => void = () => {}) => {
      const bus = createBus({ service: 'test', logger: silentLogger, transport, onError })
      buses.push(bus)
      return bus
    }
    const jetstream = () => jetstreamTransport({ connection, prefix: place.prefix })

    it('a handler that fails twice runs three times, with the configured gaps kept by the server', async () => {
      const bus = busOver(jetstream())
      const runs: { readonly attempt: number; readonly atMs: number }[] = []
      const handler = (_payload: unknown, { attempt }: { readonly attempt: number }) => {
        runs.push({ attempt, atMs: performance.now() })
        if (attempt < 3) throw new Error('again')
      }
      const backoff = { minMs: 300, factor: 2, jitter: false }
      await bus.subscribe(Numbered, handler, { group: 'a', holdMs: 0, retry: { attempts: 3, backoff } })
      await bus.publish(Numbered, { n: 1 })
      await eventually(async () => runs.length === 3, 'it runs a third time')
      await new Promise((resolve) => setTimeout(resolve, quietMs))
      expect(runs.map(({ attempt }) => attempt)).toEqual([1, 2, 3])
      const gaps = runs.slice(1).map(({ atMs }, index) => atMs - runs[index]!.atMs)
      expect(gaps[0]).toBeGreaterThanOrEqual(299)
      expect(gaps[1]).toBeGreaterThanOrEqual(599)
    })

    it('closing under load hands nothing over again that had finished, and loses nothing', async () => {
      const publisher = busOver(jetstream())
      const finished: number[] = []
      const work = async ({ n }: { readonly n: number }) => {
        await new Promise((resolve) => setImmediate(resolve))
        finished.push(n)
      }
      await publisher.register(Numbered)
      const publishing = (async () => {
        for (let first = 0; first < 1_500; first += 50)
          await publisher.publishMany(range(50).map((n) => Numbered.of({ n: first + n })))
      })()
      for (let closes = 1; closes <= 5; closes += 1) {
        const bus = busOver(jetstream())
        const subscription = await bus.subscribe(Numbered, work, { group: 'a', concurrency: 8 })
        await eventually(async () => finished.length >= closes * 150, 'messages are handled')
        await subscription.close()
      }
      await publishing
      await busOver(jetstream()).subscribe(Numbered, work, { group: 'a' })
      await eventually(async () => new Set(finished).size === 1_500, 'everything is handled')
      expect(finished).toHaveLength(1_500)
    })

    it('NATS core holds 1,000 messages or 8 MiB that nobody takes; what it drops is counted and reported', async () => {
      const reported: string[] = []
      const bus = busOver(natsTransport({ connection, prefix: place.prefix }), (error) => {
        reported.push((error as Error).message)
      })
      let release = () => {}
      const blocked = new Promise<void>((resolve) => {
        release = resolve
      })
      const handled: number[] = []
      const handler = async ({ n }: { readonly n: number }) => {
        await blocked
        handled.push(n)
      }
      const options = { group: 'a', concurrency: 1, prefetch: 1, deadLetters: 'drop' } as const
      const subscription = await bus.subscribe(Numbered, handler, options)
      await bus.publish(Numbered, { n: 0 })
      await bus.publish(Numbered, { n: 1 })
      // One runs, one is fetched: everything after them waits in the queue of the transport.
      await eventually(async () => subscription.stats().waiting === 1, 'the second is fetched')
      await bus.publishMany(range(1_100).map((n) => Numbered.of({ n: n + 2 })))
      await eventually(async () => subscription.stats().cut === 100, 'what was dropped is counted')
      expect(reported).toEqual([expect.stringContaining('100 unread messages')])
      release()
      await eventually(async () => handled.length === 1_002, 'what was kept is handled')
      expect(handled).toEqual(range(1_002))
      await bus.publish(Numbered, { n: 5_000 })
      await eventually(async () => handled.at(-1) === 5_000, 'there is room again')
    })

    it('NATS core counts bytes, too: of ten messages of 900,000 bytes it holds nine', async () => {
      const transport = natsTransport({ connection, prefix: place.prefix })
      await transport.open()
      const cuts: (number | null)[] = []
      const events = { ...listener(), cut: (count: number | null) => void cuts.push(count) }
      const consumer = await transport.consume(specOf('a', { from: 'latest' }), events)
      const large = 'x'.repeat(900_000)
      expect(await transport.publish(range(10).map(() => outgoing(large)))).toEqual([])
      await eventually(async () => cuts.length > 0, 'the drop is reported')
      expect(cuts).toEqual([1])
      expect(await readSome(consumer, 9)).toHaveLength(9)
      await consumer.close()
    })
  })
}
