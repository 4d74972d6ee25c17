import { randomBytes } from 'node:crypto'
import type { Transport } from '@evt/core'
import { type FreshKafka, kafka } from '@evt/servers'
import { kafkajsClient, kafkaTransport } from '../src/index.ts'
import { acks, consumeAs, eventually, numberOf, outgoing, range, readSome, topic } from './raw.ts'

kafka.describe('publishing to Kafka', () => {
  let place: FreshKafka
  let transport: Transport
  beforeEach(async () => {
    place = await kafka.fresh()
    transport = kafkaTransport({ brokers: place.brokers, prefix: `${place.prefix}.`, partitions: 3 })
    await transport.open()
  })
  afterEach(async () => {
    await transport.close()
    await place.drop()
  })

  test('a record for a partition that does not exist is refused, not dropped', async () => {
    await transport.declare({ name: topic, partitions: 3 })
    const connection = kafkajsClient({ brokers: place.brokers }).connect()
    const batch = {
      topic: `${place.prefix}.${topic}`,
      partition: 7,
      records: [{ key: null, value: Buffer.from('x'), headers: [] }],
    }
    expect(await connection.produce([batch])).toMatchObject([{ batch, outcome: 'refused' }])
    await connection.close()
  }, 30_000)

  test('what is too large is refused before anything is sent, and its neighbours arrive', async () => {
    await transport.declare({ name: topic, partitions: undefined })
    const large = { ...outgoing(1), payload: Buffer.alloc(1_000_001) }
    const largest = { ...outgoing(2), payload: Buffer.alloc(1_000_000, 'x') }
    expect(await transport.publish([outgoing(0), large, largest])).toMatchObject([{ index: 1, outcome: 'refused' }])
    const consumer = await consumeAs(transport, 'a')
    const read = await readSome(consumer, 2)
    expect(read.map(({ payload }) => payload.byteLength).sort()).toEqual([1, 1_000_000])
    await consumer.settle(acks(read))
    await consumer.close()
  }, 30_000)

  test('a batch larger than a broker takes is sent in parts, in order', async () => {
    await transport.declare({ name: topic, partitions: undefined })
    const batch = range(20).map((n) => ({ ...outgoing(n, 'key'), payload: Buffer.from(String(n).padEnd(400_000)) }))
    expect(await transport.publish(batch)).toEqual([])
    const consumer = await consumeAs(transport, 'a')
    expect((await readSome(consumer, 20)).map(numberOf)).toEqual(range(20))
    await consumer.close()
  }, 30_000)

  test('a topic that nobody declared is not created, and publishing to it fails soon', async () => {
    const atMs = performance.now()
    expect(await transport.publish([outgoing(0)])).toMatchObject([{ index: 0, outcome: 'unavailable' }])
    expect(performance.now() - atMs).toBeLessThan(2_000)
    const connection = kafkajsClient({ brokers: place.brokers }).connect()
    expect(await connection.partitionsOf(`${place.prefix}.${topic}`)).toBeUndefined()
    await connection.close()
  }, 30_000)

  test('headers that are null, repeated or no text, and a value that is null, arrive as what can be read of them', async () => {
    await transport.declare({ name: topic, partitions: 1 })
    const { Kafka, logLevel } = await import('kafkajs')
    const producer = new Kafka({ brokers: [...place.brokers], logLevel: logLevel.NOTHING }).producer()
    await producer.connect()
    const headers = { ce_id: 'x', many: ['a', 'b'], binary: Buffer.from([0xff, 0xfe]) }
    await producer.send({ topic: `${place.prefix}.${topic}`, messages: [{ key: null, value: null, headers }] })
    await producer.disconnect()
    const consumer = await consumeAs(transport, 'a')
    const [read] = await readSome(consumer, 1)
    expect({ ...read!.headers }).toEqual({ 'ce-id': 'x', many: 'a', binary: '\ufffd\ufffd' })
    expect(read!.payload.byteLength).toBe(0)
    expect(read!.key).toBeUndefined()
    await consumer.close()
  }, 30_000)

  test('another client reads what is written, and what it writes compressed is read', async () => {
    await transport.declare({ name: topic, partitions: 1 })
    const { CompressionTypes, Kafka, logLevel } = await import('kafkajs')
    const name = `${place.prefix}.${topic}`
    const client = new Kafka({ brokers: [...place.brokers], logLevel: logLevel.NOTHING })
    const texts = ['plain', 'ünï', '漢字😀', 'x'.repeat(9_000)]
    const batch = texts.map((text, n) => ({
      ...outgoing(n, text.slice(0, 300), { note: text }),
      payload: Buffer.from(text),
    }))
    expect(await transport.publish(batch)).toEqual([])
    const found: string[][] = []
    const other = client.consumer({ groupId: `${place.prefix}.other`, maxWaitTimeInMs: 100 })
    await other.connect()
    await other.subscribe({ topic: name, fromBeginning: true })
    await other.run({
      eachMessage: async ({ message: { key, value, headers } }) =>
        void found.push([key, value, headers?.ce_id, headers?.note].map((bytes) => String(bytes))),
    })
    await eventually(() => found.length === texts.length, 'the other client has read everything')
    await other.disconnect()
    expect(found).toEqual(texts.map((text, n) => [text.slice(0, 300), text, String(n), text]))

    const producer = client.producer()
    await producer.connect()
    const messages = range(200).map((n) => ({ key: `k${n}`, value: String(n), headers: { ce_id: String(n) } }))
    await producer.send({ topic: name, messages, compression: CompressionTypes.GZIP })
    await producer.disconnect()
    const consumer = await consumeAs(transport, 'a')
    const read = (await readSome(consumer, texts.length + 200)).slice(texts.length)
    expect(read.map(numberOf)).toEqual(range(200))
    expect(read.map(({ headers }) => headers['ce-id'])).toEqual(range(200).map(String))
    expect(await consumer.settle(acks(read))).toEqual([])
    await consumer.close()
  }, 30_000)

  test('what another client packed and no broker takes unpacked is retried and dead-lettered, and holds nothing else up', async () => {
    await transport.declare({ name: topic, partitions: 1 })
    const { CompressionTypes, Kafka, logLevel } = await import('kafkajs')
    const client = new Kafka({ brokers: [...place.brokers], logLevel: logLevel.NOTHING })
    const producer = client.producer()
    await producer.connect()
    const name = `${place.prefix}.${topic}`
    const packed = Buffer.alloc(3_000_000, 'packed')
    // As large as the broker takes it, without room for what a dead letter adds.
    const unpackable = randomBytes(1_048_480)
    await producer.send({ topic: name, messages: [{ value: packed }], compression: CompressionTypes.GZIP })
    for (const value of [unpackable, '1']) await producer.send({ topic: name, messages: [{ value }] })
    await producer.disconnect()
    const consumer = await consumeAs(transport, 'a')
    const [first, second, third] = await readSome(consumer, 3)
    const retries = [first!, second!].map((delivery) => ({
      delivery,
      as: 'retry' as const,
      attempt: 2,
      afterMs: 1_000,
    }))
    expect(await consumer.settle([...retries, ...acks([third!])])).toEqual([])
    const again = await readSome(consumer, 2)
    expect(again.map(({ attempt }) => attempt)).toEqual([2, 2])
    const letters = again.map((delivery) => ({ delivery, as: 'deadLetter' as const, reason: 'no', history: [] }))
    expect(await consumer.settle(letters)).toEqual([])
    const kept = await transport.readDeadLetters(topic, { after: undefined, limit: 10 })
    expect(kept.map(({ payload }) => payload.byteLength).sort()).toEqual([1_048_480, 3_000_000])
    expect(kept.every(({ payload }) => packed.equals(payload) || unpackable.equals(payload))).toBe(true)
    await consumer.close()
  }, 60_000)

  test('a delayed retry that the broker refuses waits in its process, and holds no acknowledgement up', async () => {
    const name = `${place.prefix}.${topic}`
    const connection = kafkajsClient({ brokers: place.brokers }).connect()
    const config = { 'max.message.bytes': '4000000', 'retention.ms': '-1' }
    await connection.createTopic({ topic: name, partitions: 1, replicationFactor: 1, config })
    const records = [randomBytes(3_000_000), Buffer.from('1')].map((value) => ({ key: null, value, headers: [] }))
    expect(await connection.produce([{ topic: name, partition: 0, records }])).toEqual([])
    await connection.close()
    const consumer = await consumeAs(transport, 'a')
    const [large, small] = await readSome(consumer, 2)
    const atMs = performance.now()
    const retry = { delivery: large!, as: 'retry' as const, attempt: 2, afterMs: 1_000 }
    expect(await consumer.settle([retry, ...acks([small!])])).toEqual([])
    const [again] = await readSome(consumer, 1)
    expect(performance.now() - atMs).toBeGreaterThanOrEqual(999)
    expect(again).toMatchObject({ attempt: 2, position: large!.position })
    await consumer.close()
    const next = await consumeAs(transport, 'a')
    expect(await readSome(next, 1)).toMatchObject([{ attempt: 2, position: large!.position }])
    await next.close()
  }, 60_000)

  test('a dead letter that is too large also packed is kept without its payload, and tells where that is', async () => {
    const name = `${place.prefix}.${topic}`
    const connection = kafkajsClient({ brokers: place.brokers }).connect()
    const config = { 'max.message.bytes': '4000000', 'retention.ms': '-1' }
    await connection.createTopic({ topic: name, partitions: 1, replicationFactor: 1, config })
    const headers = ['ce_id', 'big', 'note', 'small']
    const many = ['ce_id', 'many', 'note', 'n'.repeat(100_000)]
    const values = [
      { value: Buffer.from('1'), headers: [] },
      { value: randomBytes(3_000_000), headers },
      { value: randomBytes(2_000_000), headers: many },
      { value: Buffer.from('2'), headers: [] },
    ]
    for (const { value, headers } of values)
      expect(
        await connection.produce([{ topic: name, partition: 0, records: [{ key: 'k', value, headers }] }]),
      ).toEqual([])
    const consumer = await consumeAs(transport, 'a')
    const read = await readSome(consumer, 4)
    const letters = read.map((delivery) => ({ delivery, as: 'deadLetter' as const, reason: 'no', history: [] }))
    expect(await consumer.settle(letters)).toEqual([])
    const kept = await transport.readDeadLetters(topic, { after: undefined, limit: 10 })
    const byPosition = new Map(kept.map((letter) => [letter.position, letter]))
    const [first, big, long, last] = read.map(({ position }) => byPosition.get(position)!)
    expect([first, last].map((letter) => [Buffer.from(letter!.payload).toString(), letter!.reason])).toEqual([
      ['1', 'no'],
      ['2', 'no'],
    ])
    expect(big).toMatchObject({ consumer: 'test/a', key: 'k', headers: { 'ce-id': 'big', note: 'small' } })
    expect(big!.payload).toHaveLength(0)
    expect(big!.reason).toBe(
      `no (its 3000000 bytes are too large for a letter and were left at partition 0, offset 1 of ${name})`,
    )
    expect(long).toMatchObject({ key: undefined, headers: {} })
    expect(long!.reason).toContain('offset 2')
    expect(await connection.committed(`${place.prefix}.test/a:${name}`, name)).toEqual(
      new Map([[0, { offset: 4, metadata: '' }]]),
    )
    await connection.close()
    await consumer.close()
  }, 60_000)

  test('a dead letter that unpacked would be more than a broker even reads is written packed', async () => {
    await transport.declare({ name: topic, partitions: 1 })
    const connection = kafkajsClient({ brokers: place.brokers }).connect()
    const value = Buffer.alloc(105 * 1_024 * 1_024)
    const record = { key: null, value, headers: [] }
    const batch = { topic: `${place.prefix}.${topic}`, partition: 0, records: [record], isPacked: true }
    expect(await connection.produce([batch])).toEqual([])
    await connection.close()
    const consumer = await consumeAs(transport, 'a')
    const [held] = await readSome(consumer, 1)
    const letter = { delivery: held!, as: 'deadLetter' as const, reason: 'no', history: [] }
    expect(await consumer.settle([letter])).toEqual([])
    const [kept] = await transport.readDeadLetters(topic, { after: undefined, limit: 10 })
    expect(kept!.payload).toHaveLength(value.byteLength)
    await consumer.close()
  }, 60_000)

  test('a broker that is not there is reported within three seconds, before anything was sent', async () => {
    const away = kafkaTransport({ brokers: ['127.0.0.1:1'] })
    const atMs = performance.now()
    await expect(away.open()).rejects.toMatchObject({ code: 'EVT_KAFKA_UNAVAILABLE', retryable: true })
    expect(await away.publish([outgoing(0)])).toMatchObject([{ index: 0, outcome: 'unavailable' }])
    await expect(consumeAs(away, 'a')).rejects.toMatchObject({ retryable: true })
    expect(performance.now() - atMs).toBeLessThan(3_000)
    await away.close()
  }, 30_000)
})
