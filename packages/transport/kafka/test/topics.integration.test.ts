import { silentLogger, type Transport } from '@evt/core'
import { type FreshKafka, kafka } from '@evt/servers'
import { type Admin, ConfigResourceTypes, Kafka, logLevel } from 'kafkajs'
import { type KafkaTransportOptions, kafkajsClient, kafkaTransport } from '../src/index.ts'
import { kafkaNames } from '../src/names.ts'
import { type PlacesParts, trim } from '../src/places.ts'
import { acks, consumeAs, eventually, numberOf, outgoing, range, readSome, topic } from './raw.ts'

kafka.describe('topics on Kafka', () => {
  let place: FreshKafka
  let admin: Admin
  const opened: Transport[] = []
  const open = async (options: Partial<KafkaTransportOptions> = {}) => {
    const transport = kafkaTransport({ brokers: place.brokers, prefix: `${place.prefix}.`, partitions: 2, ...options })
    opened.push(transport)
    await transport.open()
    return transport
  }
  const plain = { name: topic, partitions: undefined }
  const onServer = () => `${place.prefix}.${topic}`
  const exists = async () => (await admin.listTopics()).includes(onServer())
  const create = (configEntries: { name: string; value: string }[]) =>
    admin.createTopics({ waitForLeaders: true, topics: [{ topic: onServer(), numPartitions: 2, configEntries }] })
  beforeEach(async () => {
    place = await kafka.fresh()
    admin = new Kafka({ brokers: [...place.brokers], logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
  })
  afterEach(async () => {
    for (const transport of opened.splice(0)) await transport.close()
    await admin.disconnect()
    await place.drop()
  })

  test('one that is deleted under its reader and its publisher is made again, and that is told', async () => {
    // Whoever comes first makes it: the reader tells the bus, the publisher the log.
    const told: string[] = []
    const warn = (_fields: object, text?: string) => void told.push(text ?? '')
    const transport = await open({ logger: { ...silentLogger, warn } })
    await transport.declare(plain)
    const consumer = await consumeAs(transport, 'a', {}, { recreated: (what) => void told.push(what) })
    expect(await transport.publish(range(5).map((n) => outgoing(n)))).toEqual([])
    await consumer.settle(acks(await readSome(consumer, 5)))
    await admin.deleteTopics({ topics: [onServer()] })
    await eventually(async () => (await transport.publish([outgoing(7)])).length === 0, 'it can be published to again')
    const read = await readSome(consumer, 1, 30_000)
    expect(read.map(numberOf)).toEqual([7])
    expect(await consumer.settle(acks(read))).toEqual([])
    expect(told.length).toBeGreaterThanOrEqual(1)
    expect(['made again a topic that was gone', `topic ${onServer()}`]).toEqual(expect.arrayContaining(told))
    await consumer.close()
  }, 60_000)

  test('one that is deleted and not to be made again fails by name, reading and publishing, and stays away', async () => {
    const transport = await open({ onMissing: 'fail' })
    await transport.declare(plain)
    const consumer = await consumeAs(transport, 'a')
    await admin.deleteTopics({ topics: [onServer()] })
    const missing = { code: 'EVT_KAFKA_MISSING', details: { topic: onServer() } }
    await expect(readSome(consumer, 1)).rejects.toMatchObject(missing)
    await eventually(async () => {
      const [failure] = await transport.publish([outgoing(1)])
      return (failure?.error as { code?: string } | undefined)?.code === missing.code
    }, 'publishing says what is missing')
    expect(await exists()).toBe(false)
    await create([])
    await eventually(async () => (await transport.publish([outgoing(2)])).length === 0, 'an operator has made it')
    expect((await readSome(consumer, 1, 30_000)).map(numberOf)).toEqual([2])
    await consumer.close()
  }, 60_000)

  test('one that is made is as it was asked for; where nothing was, no time and no size removes what is unread', async () => {
    const asked = await open({ partitions: 3, replicationFactor: 1, retentionMs: 86_400_000 })
    await asked.declare(plain)
    await (await open({ partitions: 4 })).declare({ name: 'evt.other', partitions: undefined })
    await (await open({ partitions: 4 })).declare({ name: 'evt.third', partitions: 5 })
    const names = [onServer(), `${place.prefix}.evt.other`, `${place.prefix}.evt.third`]
    const partitionsOf = async (name: string) =>
      (await admin.fetchTopicMetadata({ topics: [name] })).topics[0]!.partitions
    const made = await Promise.all(names.map(partitionsOf))
    expect(made.map((partitions) => partitions.length)).toEqual([3, 4, 5])
    expect(made.flat().every(({ replicas }) => replicas.length === 1)).toBe(true)
    const configNames = ['cleanup.policy', 'retention.bytes', 'retention.ms']
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: names.map((name) => ({ type: ConfigResourceTypes.TOPIC, name, configNames })),
    })
    const found = resources.map(({ resourceName, configEntries }) => [
      names.indexOf(resourceName),
      Object.fromEntries(configEntries.map(({ configName, configValue }) => [configName, configValue])),
    ])
    const kept = { 'cleanup.policy': 'delete', 'retention.bytes': '-1', 'retention.ms': '-1' }
    expect(Object.fromEntries(found)).toEqual({ 0: { ...kept, 'retention.ms': '86400000' }, 1: kept, 2: kept })
  }, 60_000)

  test('batches are no larger than an operator lets them be, and what cannot fit is refused beside what can', async () => {
    await create([{ name: 'max.message.bytes', value: '6000' }])
    const transport = await open()
    await transport.declare(plain)
    const batch = range(60).map((n) => ({ ...outgoing(n, 'key'), payload: Buffer.from(String(n).padEnd(1_000)) }))
    const large = { ...outgoing(99, 'key'), payload: Buffer.alloc(6_000) }
    const failures = await transport.publish([...batch.slice(0, 30), large, ...batch.slice(30)])
    expect(failures).toMatchObject([{ index: 30, outcome: 'refused' }])
    const consumer = await consumeAs(transport, 'a')
    const read = await readSome(consumer, 60)
    expect(read.map(numberOf)).toEqual(range(60))
    await consumer.close()
  }, 60_000)

  test('limits of an operator are told, and what was asked for and differs is an error that names it', async () => {
    await create([
      { name: 'retention.ms', value: '3600000' },
      { name: 'cleanup.policy', value: 'compact,delete' },
    ])
    const told: object[] = []
    const transport = await open({ logger: { ...silentLogger, warn: (fields) => void told.push(fields) } })
    await transport.declare(plain)
    expect(told).toEqual([
      { topic: onServer(), 'cleanup.policy': 'compact,delete' },
      { topic: onServer(), 'retention.ms': '3600000' },
    ])
    const wanted: [Partial<KafkaTransportOptions>, object][] = [
      [{ retentionMs: 60_000 }, { field: 'retention.ms', wanted: '60000', actual: '3600000' }],
      [{ replicationFactor: 3 }, { field: 'replication.factor', wanted: '3', actual: '1' }],
    ]
    for (const [options, details] of wanted) {
      const other = await open(options)
      await expect(other.declare(plain)).rejects.toMatchObject({ code: 'EVT_KAFKA_CONFIG', details })
    }
    await (await open({ retentionMs: 3_600_000, replicationFactor: 1 })).declare(plain)
  }, 60_000)

  test('what a group has not read is counted by partition, with the age of the oldest', async () => {
    const transport = await open()
    await transport.declare(plain)
    const consumer = await consumeAs(transport, 'a')
    await consumeAs(transport, 'b').then((other) => other.close())
    // These keys lie in two partitions.
    const keys = ['a', 'b', 'c', 'd']
    const published = range(40).map((n) => outgoing(n, keys[n % 4]))
    expect(await transport.publish(published)).toEqual([])
    const read = await readSome(consumer, 40)
    const first = read.filter(({ partition }) => partition === 0)
    await consumer.settle(acks(first))
    const states = await transport.inspect(topic)
    const stateOf = (name: string) => states.find((state) => state.consumer === `test/${name}`)!
    expect(first.length).toBeGreaterThan(0)
    expect(stateOf('a').lagByPartition).toEqual([0, 40 - first.length])
    expect(stateOf('a').lag).toBe(40 - first.length)
    expect(stateOf('b').lagByPartition).toEqual([first.length, 40 - first.length])
    expect(stateOf('b').oldestMs).toBeGreaterThanOrEqual(0)
    expect(stateOf('b').oldestMs).toBeLessThan(60_000)
    await consumer.settle(acks(read.filter(({ partition }) => partition === 1)))
    const [after] = (await transport.inspect(topic)).filter((state) => state.consumer === 'test/a')
    expect(after).toMatchObject({ lag: 0, lagByPartition: [0, 0], oldestMs: null })
    await consumer.close()
  }, 60_000)

  test('trimming remembers groups of others for as long as they are there, and no longer', async () => {
    const transport = await open()
    await transport.declare(plain)
    const connection = kafkajsClient({ brokers: place.brokers }).connect()
    const strangers: PlacesParts['strangers'] = new Map()
    const names = kafkaNames(`${place.prefix}.`)
    const parts = { connection, names, strangers, nowMs: Date.now, monotonicMs: () => 0 }
    const other = `${place.prefix}.other`
    const groupId = `${place.prefix}-stranger`
    await admin.createTopics({ waitForLeaders: true, topics: [{ topic: other, numPartitions: 1 }] })
    await admin.setOffsets({ groupId, topic: other, partitions: [{ partition: 0, offset: '0' }] })
    await trim(parts, topic)
    await trim(parts, topic)
    expect(strangers.get(topic)?.has(groupId)).toBe(true)
    await admin.deleteGroups([groupId])
    await trim(parts, topic)
    expect(strangers.get(topic)?.has(groupId)).toBe(false)
    await connection.close()
  }, 30_000)
})
