import { type RunningServer, redis } from '@evt/servers'
import {
  acknowledge,
  consumeAs,
  publish,
  quietMs,
  range,
  readSome,
  type TestPlace,
  testPlace,
  textOf,
  topic,
} from './test-place.ts'

redis.describe('a reader whose server has lost something', () => {
  let server: RunningServer
  let place: TestPlace
  let runs = 0
  beforeAll(async () => {
    server = await redis.start()
  }, 60_000)
  afterAll(() => server.stop())
  beforeEach(() => {
    runs += 1
    place = testPlace(server.url, `healing${runs}`)
  })
  afterEach(() => place.close())

  const losses: readonly (readonly [what: string, lose: () => Promise<unknown>])[] = [
    ['everything was flushed', () => place.client.flushall()],
    ['its stream was deleted', () => place.client.del(place.key('stream'))],
    ['its group was destroyed', () => place.client.xgroup('DESTROY', place.key('stream'), 'test/a')],
    ["the group's retry stream was deleted", () => place.client.del(place.key('group:test/a:retry'))],
  ]
  for (const [what, lose] of losses) {
    test(`makes its group again and says so when ${what}, and gets what is published afterwards`, async () => {
      const lines: string[] = []
      const warn = (_fields: object, text?: string) => void lines.push(text ?? '')
      const logger = { debug() {}, info() {}, error() {}, warn }
      const transport = await place.transport({ logger })
      const consumer = await consumeAs(transport, 'a')
      await publish(transport, 1)
      await acknowledge(consumer, await readSome(consumer, 1))
      await lose()
      await publish(transport, 1, 1)
      const seen = new Set<string>()
      while (!seen.has('1')) {
        const read = await readSome(consumer, 1)
        expect(read).toHaveLength(1)
        for (const delivery of read) seen.add(textOf(delivery))
        await acknowledge(consumer, read)
      }
      // The loss of a retry stream is noticed by the next look, which may come after the message.
      while (consumer.recreated.length === 0) await readSome(consumer, 1, 100)
      expect(consumer.recreated).toEqual(['group test/a'])
      expect(consumer.lost).toHaveLength(1)
      expect(lines).toHaveLength(1)
      await consumer.close()
    })

    test(`fails by name when ${what} and nothing is to be made again`, async () => {
      const transport = await place.transport({ onMissing: 'fail' })
      const consumer = await consumeAs(transport, 'a')
      await lose()
      await expect(readSome(consumer, 1)).rejects.toMatchObject({
        code: 'EVT_REDIS_GROUP_MISSING',
        details: { topic, consumer: 'test/a' },
      })
      await consumer.close()
    })
  }

  test('an ephemeral reader whose group was destroyed before it had seen anything gets nothing older than itself', async () => {
    const transport = await place.transport()
    await publish(transport, 5)
    const consumer = await consumeAs(transport, 'e', { as: { reader: 'ephemeral' }, from: 'latest' })
    await place.client.xgroup('DESTROY', place.key('stream'), 'test/e')
    await publish(transport, 1, 5)
    expect((await readSome(consumer, 1)).map(textOf)).toEqual(['5'])
    await consumer.close()
  })

  test('an ephemeral reader from the earliest whose group was destroyed before it had seen anything gets everything', async () => {
    const transport = await place.transport()
    await publish(transport, 2)
    const consumer = await consumeAs(transport, 'e', { as: { reader: 'ephemeral' } })
    await place.client.xgroup('DESTROY', place.key('stream'), 'test/e')
    expect((await readSome(consumer, 2)).map(textOf)).toEqual(['0', '1'])
    await consumer.close()
  })

  test('an ephemeral reader of partitions whose group was destroyed goes on in each behind what it has seen', async () => {
    const transport = await place.transport()
    const name = 'evt.test.read-in-parts'
    await transport.declare({ name, partitions: 4 })
    const publishTexts = (texts: readonly string[]) =>
      transport.publish(
        texts.map((text) => ({ ...bare, id: text, topic: name, key: text, payload: Buffer.from(text) })),
      )
    const consumer = await consumeAs(transport, 'e', { topic: name, as: { reader: 'ephemeral' }, from: 'latest' })
    await publishTexts(['a', 'b', 'c', 'd'])
    const first = await readSome(consumer, 4)
    await acknowledge(consumer, first)
    const partition = first[0]!.partition
    await place.client.xgroup('DESTROY', `healing${runs}:{${name}}:stream:${partition}`, 'test/e')
    await publishTexts(['a', 'b', 'c', 'd'])
    expect((await readSome(consumer, 4)).map(textOf).sort()).toEqual(['a', 'b', 'c', 'd'])
    expect(await readSome(consumer, 1, quietMs)).toEqual([])
    await consumer.close()
  })

  test('an ephemeral reader whose group was destroyed goes on behind what it has seen', async () => {
    const transport = await place.transport()
    const consumer = await consumeAs(transport, 'e', { as: { reader: 'ephemeral' }, from: 'latest' })
    await publish(transport, 2)
    await acknowledge(consumer, await readSome(consumer, 2))
    await place.client.xgroup('DESTROY', place.key('stream'), 'test/e')
    await publish(transport, 1, 2)
    expect((await readSome(consumer, 1)).map(textOf)).toEqual(['2'])
    await consumer.close()
  })

  test('the partitions of a flushed topic are written down again', async () => {
    const transport = await place.transport()
    const name = 'evt.test.parted'
    await transport.declare({ name, partitions: 4 })
    const consumer = await consumeAs(transport, 'a', { topic: name, ordered: 'group' })
    await place.client.flushall()
    await transport.publish([{ id: '1', topic: name, key: 'k', headers: {}, payload: Buffer.from('one') }])
    expect((await readSome(consumer, 1)).map(textOf)).toEqual(['one'])
    const other = await place.transport()
    await expect(other.declare({ name, partitions: 5 })).rejects.toMatchObject({ code: 'EVT_TRANSPORT_PARTITIONS' })
    await consumer.close()
  })

  test('what is published to a flushed topic with partitions is read by who does not know how many there were', async () => {
    const transport = await place.transport()
    const name = 'evt.test.parted'
    const entry = (id: string) => ({ id, topic: name, key: id, headers: {}, payload: Buffer.from(id) })
    await transport.declare({ name, partitions: 4 })
    await place.client.flushall()
    expect(await transport.publish([entry('1')])).toEqual([])
    const reader = await place.transport()
    await reader.declare({ name, partitions: undefined })
    const consumer = await consumeAs(reader, 'a', { topic: name })
    expect((await readSome(consumer, 1)).map(textOf)).toEqual(['1'])
    await consumer.close()
  })

  test('publishers of a topic that was flushed and declared anew with other partitions are told, and go on with those', async () => {
    const transport = await place.transport()
    const name = 'evt.test.parted'
    const entry = (id: string) => ({ id, topic: name, key: id, headers: {}, payload: Buffer.from(id) })
    await transport.declare({ name, partitions: 4 })
    const old = await consumeAs(transport, 'a', { topic: name })
    await place.client.flushall()
    const reader = await place.transport()
    await reader.declare({ name, partitions: undefined })
    const consumer = await consumeAs(reader, 'a', { topic: name })
    expect(await transport.publish([entry('1'), entry('2')])).toMatchObject([
      { index: 0, outcome: 'unavailable', error: { code: 'EVT_TRANSPORT_PARTITIONS' } },
      { index: 1, outcome: 'unavailable', error: { code: 'EVT_TRANSPORT_PARTITIONS' } },
    ])
    await expect(readSome(old, 1)).rejects.toMatchObject({ code: 'EVT_TRANSPORT_PARTITIONS' })
    expect(await transport.publish([entry('1')])).toEqual([])
    expect((await readSome(consumer, 1)).map(textOf)).toEqual(['1'])
    await consumer.close()
    await old.close()
  })

  test('another type of value under the key is named by readers and publishers', async () => {
    const transport = await place.transport()
    const consumer = await consumeAs(transport, 'a')
    await place.client.set(place.key('stream'), 'mine')
    await expect(readSome(consumer, 1)).rejects.toMatchObject({ code: 'EVT_REDIS_WRONG_TYPE' })
    await expect(publish(transport, 1)).rejects.toMatchObject({ code: 'EVT_REDIS_WRONG_TYPE' })
    expect(await place.client.get(place.key('stream'))).toBe('mine')
    await consumer.close()
  })

  test('entries that somebody else wrote are handed over without headers, not dropped', async () => {
    const transport = await place.transport()
    const consumer = await consumeAs(transport, 'a')
    await place.client.xadd(place.key('stream'), '*', 'headers', '{"__proto__":{"a":"b"}}', 'other', 'x')
    await place.client.xadd(place.key('stream'), '*', 'headers', 'no json', 'payload', 'x')
    const read = await readSome(consumer, 2)
    expect(read.map(({ headers }) => [Object.keys(headers), Object.getPrototypeOf(headers)])).toEqual([
      [[], null],
      [[], null],
    ])
    await acknowledge(consumer, read)
    await consumer.close()
  })

  test('publishers learn by name that the server has no memory left, and go on when it has', async () => {
    const transport = await place.transport()
    await place.client.config('SET', 'maxmemory', '1')
    const failures = await transport.publish(range(2).map((n) => ({ ...bare, id: String(n) })))
    expect(failures.map(({ outcome }) => outcome)).toEqual(['unavailable', 'unavailable'])
    expect(failures[0]!.error).toMatchObject({ code: 'EVT_REDIS_WRITES_REFUSED', details: { reason: 'OOM' } })
    await place.client.config('SET', 'maxmemory', '0')
    await publish(transport, 1)
  })

  test('messages are read, settled and trimmed while the server has no memory left, for nothing else would free any', async () => {
    const transport = await place.transport()
    const consumer = await consumeAs(transport, 'a')
    await publish(transport, 6)
    const first = await readSome(consumer, 3)
    await place.client.config('SET', 'maxmemory', '1')
    expect(await acknowledge(consumer, first.slice(0, 1))).toBe(0)
    const [, retried, rejected] = first
    await consumer.settle([{ delivery: retried!, as: 'retry', attempt: 2, afterMs: 0 }])
    await consumer.settle([{ delivery: rejected!, as: 'deadLetter', reason: 'no', history: [] }])
    expect(await consumer.extend(first.slice(1, 2))).toEqual([])
    await consumer.close()
    const next = await consumeAs(transport, 'a')
    const rest = await readSome(next, 4)
    expect(new Set(rest.map(textOf))).toEqual(new Set(['1', '3', '4', '5']))
    expect(await acknowledge(next, rest)).toBe(0)
    expect((await transport.trim(topic)).removed).toBe(6)
    await next.close()
    await place.client.config('SET', 'maxmemory', '0')
  })

  test('an entry whose fields somebody repeated thousands of times is dead-lettered as it was read', async () => {
    const transport = await place.transport()
    const consumer = await consumeAs(transport, 'a')
    const repeated = range(5_000).flatMap((n) => ['payload', String(n)])
    await place.client.xadd(place.key('stream'), '*', ...repeated)
    const [delivery] = await readSome(consumer, 1)
    await consumer.settle([{ delivery: delivery!, as: 'deadLetter', reason: 'no', history: [] }])
    const letters = await transport.readDeadLetters(topic, { after: undefined, limit: 10 })
    expect(letters.map(({ payload }) => Buffer.from(payload).toString())).toEqual(['4999'])
    await consumer.close()
  })

  test('a replica is refused when it is opened and named when a master becomes one', async () => {
    const transport = await place.transport()
    const consumer = await consumeAs(transport, 'a')
    await place.client.replicaof('127.0.0.1', '1')
    try {
      await expect(place.transport()).rejects.toMatchObject({ code: 'EVT_REDIS_READONLY' })
      await expect(publish(transport, 1)).rejects.toMatchObject({ code: 'EVT_REDIS_READONLY' })
      await expect(readSome(consumer, 1)).rejects.toMatchObject({ code: 'EVT_REDIS_READONLY' })
    } finally {
      await place.client.replicaof('NO', 'ONE')
    }
    await publish(transport, 1)
    expect(await readSome(consumer, 1)).toHaveLength(1)
    await consumer.close()
  })

  test('a server that may evict messages is refused by the name of its policy', async () => {
    await place.client.config('SET', 'maxmemory-policy', 'allkeys-lru')
    await expect(place.transport()).rejects.toMatchObject({
      code: 'EVT_REDIS_EVICTION',
      details: { policy: 'allkeys-lru' },
    })
    await place.client.config('SET', 'maxmemory-policy', 'noeviction')
  })
})

const bare = { topic, key: undefined, headers: {}, payload: Buffer.from('x') }
