import { nats, natsFloor } from '@evt/servers'
import { jetstreamPlace, listener, outgoing, readSome, specOf, textOf, topic } from './rig.ts'

const nanos = 1_000_000

for (const server of [nats, natsFloor]) {
  server.describe(`what JetStream on ${server.name} is configured with`, () => {
    const { at, open, stream } = jetstreamPlace(server)

    it('names what differs between a stream or consumer and what is wanted, and changes neither', async () => {
      const first = await open()
      await first.declare({ name: topic, partitions: undefined })
      await first.consume(specOf('a'), listener())
      const second = await open({ duplicateWindowMs: 1_000 })
      await expect(second.declare({ name: topic, partitions: undefined })).rejects.toMatchObject({
        code: 'EVT_NATS_CONFIG',
        details: { field: 'duplicate_window', wanted: 1_000 * nanos, actual: 120_000 * nanos },
      })
      const copied = await open({ replicas: 3 })
      await expect(copied.declare({ name: topic, partitions: undefined })).rejects.toMatchObject({
        code: 'EVT_NATS_CONFIG',
        details: { field: 'num_replicas', wanted: 3, actual: 1 },
      })
      const third = await open()
      await expect(third.consume(specOf('a', { leaseMs: 1_000 }), listener())).rejects.toMatchObject({
        code: 'EVT_NATS_CONFIG',
        details: { field: 'ack_wait', wanted: 1_000 * nanos, actual: 30_000 * nanos },
      })
      const manager = await at.connection.jetstreamManager()
      const { config } = await manager.streams.info(stream())
      expect(config).toMatchObject({ duplicate_window: 120_000 * nanos, num_replicas: 1 })
      const [info] = await manager.consumers.list(stream()).next()
      expect(info?.config.ack_wait).toBe(30_000 * nanos)
    })

    it('refuses a consumer that somebody made with what would break a lease or lose its place, naming the field', async () => {
      const transport = await open()
      await transport.consume(specOf('a'), listener())
      const manager = await at.connection.jetstreamManager()
      const [made] = await manager.consumers.list(stream()).next()
      const { name, config } = made!
      const others = {
        backoff: { backoff: [1_000 * nanos, 30_000 * nanos] },
        headers_only: { headers_only: true },
        inactive_threshold: { inactive_threshold: 60_000 * nanos },
        max_ack_pending: { max_ack_pending: 1_000 },
        max_deliver: { max_deliver: 5 },
      }
      for (const [field, changed] of Object.entries(others)) {
        await manager.consumers.delete(stream(), name)
        await manager.consumers.add(stream(), { ...config, max_deliver: field === 'backoff' ? 5 : -1, ...changed })
        await expect((await open()).consume(specOf('a'), listener())).rejects.toMatchObject({
          code: 'EVT_NATS_CONFIG',
          // Where there is a back-off, its first step is the lease.
          details: { field: field === 'backoff' ? 'ack_wait' : field },
        })
      }
    })

    it('makes consumers that never drop a message for having been handed over often, and limit nothing but by pulls', async () => {
      const transport = await open()
      await transport.consume(specOf('a', { leaseMs: 5_000 }), listener())
      const manager = await at.connection.jetstreamManager()
      const [made] = await manager.consumers.list(stream()).next()
      expect(made!.config).toMatchObject({
        ack_policy: 'explicit',
        ack_wait: 5_000 * nanos,
        max_ack_pending: -1,
        max_deliver: -1,
      })
      const lag = { lag: 0, running: 0, oldestMs: null }
      expect(await transport.inspect(topic)).toMatchObject([{ consumer: 'test/a', ...lag }])
      await transport.publish([outgoing('one')])
      expect(await transport.inspect(topic)).toMatchObject([{ lag: 1, oldestMs: expect.any(Number) }])
    })

    it('has the server remove an ephemeral reader after `reapAfterMs`, and removes one that is closed itself', async () => {
      const transport = await open({ reapAfterMs: 5_000 })
      const live = { consumer: 'test/live@1', as: { reader: 'ephemeral' }, from: 'latest' } as const
      const reader = await transport.consume(specOf('live', live), listener())
      const durable = await transport.consume(specOf('a'), listener())
      const manager = await at.connection.jetstreamManager()
      const configs = async () => (await manager.consumers.list(stream()).next()).map(({ config }) => config)
      const [ephemeral] = (await configs()).filter(({ description }) => description === 'test/live@1')
      expect([ephemeral!.inactive_threshold, ephemeral!.durable_name]).toEqual([5_000 * nanos, undefined])
      await reader.close()
      await durable.close()
      expect((await configs()).map(({ description }) => description)).toEqual(['test/a'])
    })

    it('makes a stream and no consumer for who only publishes', async () => {
      const transport = await open()
      expect(await transport.publish([outgoing('one')])).toEqual([])
      const manager = await at.connection.jetstreamManager()
      const { state } = await manager.streams.info(stream())
      expect([state.messages, state.consumer_count]).toEqual([1, 0])
    })

    it('refuses a stream that confirms nothing, and one of somebody else that remembers ids for another time', async () => {
      const manager = await at.connection.jetstreamManager()
      const subjects = [`${at.prefix}.${topic}`]
      await manager.streams.add({ name: stream(), subjects, duplicate_window: 120_000 * nanos, no_ack: true })
      await expect((await open()).declare({ name: topic, partitions: undefined })).rejects.toMatchObject({
        code: 'EVT_NATS_CONFIG',
        details: { field: 'no_ack' },
      })
      await manager.streams.delete(stream())
      const name = `${at.prefix}_all`
      await manager.streams.add({ name, subjects, duplicate_window: 1_000 * nanos })
      const other = await open({ stream: name })
      await expect(other.declare({ name: topic, partitions: undefined })).rejects.toMatchObject({
        code: 'EVT_NATS_CONFIG',
        details: { field: 'duplicate_window', wanted: 120_000 * nanos, actual: 1_000 * nanos },
      })
      const fitting = await open({ stream: name, duplicateWindowMs: 1_000 })
      expect(fitting.supports.dedupeWindowMs).toBe(1_000)
      expect(await fitting.publish([outgoing('one')])).toEqual([])
    })

    it('remembers the number of partitions in the stream and refuses another', async () => {
      const first = await open()
      await first.declare({ name: topic, partitions: 4 })
      const second = await open()
      expect(await second.declare({ name: topic, partitions: undefined })).toEqual({ name: topic, partitions: 4 })
      await expect(second.declare({ name: topic, partitions: 5 })).rejects.toMatchObject({
        code: 'EVT_TRANSPORT_PARTITIONS',
        details: { wanted: 5, actual: 4 },
      })
    })

    it('uses a stream that exists, and names its subjects where they leave a topic out', async () => {
      const manager = await at.connection.jetstreamManager()
      const name = `${at.prefix}_all`
      await manager.streams.add({ name, subjects: [`${at.prefix}.evt.order.>`] })
      const transport = await open({ stream: name })
      expect(await transport.publish([outgoing('one')])).toEqual([])
      const consumer = await transport.consume(specOf('a'), listener())
      expect((await readSome(consumer, 1)).map(textOf)).toEqual(['one'])
      await expect(transport.declare({ name: 'evt.other', partitions: undefined })).rejects.toMatchObject({
        code: 'EVT_NATS_CONFIG',
        details: { field: 'subjects' },
      })
      await consumer.close()
    })
  })
}
