import { createBus, defineEvent, silentLogger, type Transport, type } from '@evt/core'
import { type FreshKafka, kafka } from '@evt/servers'
import { type KafkaClient, kafkajsClient, kafkaTransport } from '../src/index.ts'
import { acks, consumeAs, eventually, numberOf, outgoing, range, readSome, topic } from './raw.ts'

kafka.describe('groups on Kafka', () => {
  let place: FreshKafka
  const opened: Transport[] = []
  const open = async (options: object = {}) => {
    const transport = kafkaTransport({ brokers: place.brokers, prefix: `${place.prefix}.`, ...options })
    opened.push(transport)
    await transport.open()
    await transport.declare({ name: topic, partitions: undefined })
    return transport
  }
  const committed = async (group: string) => {
    const connection = kafkajsClient({ brokers: place.brokers }).connect()
    const found = await connection.committed(
      `${place.prefix}.test/${group}:${place.prefix}.${topic}`,
      `${place.prefix}.${topic}`,
    )
    await connection.close()
    return found
  }
  beforeEach(async () => {
    place = await kafka.fresh()
  })
  afterEach(async () => {
    for (const transport of opened.splice(0)) await transport.close()
    await place.drop()
  })

  test('members that come and go during handlers of 50 ms repeat nothing, overlap on no key and lose nothing', async () => {
    const Keyed = defineEvent('raw.keyed', {
      schema: type<{ n: number; key: string }>(),
      key: (message) => message.key,
    })
    const running = new Set<string>()
    const seen = new Map<string, number[]>()
    let overlaps = 0
    const handler = async ({ n, key }: { n: number; key: string }) => {
      if (running.has(key)) overlaps += 1
      running.add(key)
      await new Promise((resolve) => setTimeout(resolve, 50))
      running.delete(key)
      seen.set(key, [...(seen.get(key) ?? []), n])
    }
    const busOf = () =>
      createBus({
        service: 'test',
        transport: kafkaTransport({ brokers: place.brokers, prefix: `${place.prefix}.` }),
        logger: silentLogger,
      })
    const buses = [busOf(), busOf(), busOf()] as const
    const subscribe = (index: number) =>
      buses[index]!.subscribe(Keyed, handler, { group: 'a', ordered: 'group', concurrency: 8 })
    await subscribe(0)
    await buses[0].publishMany(range(600).map((n) => Keyed.of({ n, key: `k${n % 24}` })))
    const count = () => [...seen.values()].reduce((sum, list) => sum + list.length, 0)
    await eventually(() => count() > 50, 'messages are handled')
    const second = await subscribe(1)
    await eventually(() => count() > 150, 'messages are handled by two')
    const third = await subscribe(2)
    await eventually(() => count() > 250, 'messages are handled by three')
    await second.close()
    await eventually(() => count() > 350, 'messages are handled after one has left')
    await third.close()
    await eventually(() => count() >= 600, 'every message is handled')
    expect(overlaps).toBe(0)
    expect(count()).toBe(600)
    for (const list of seen.values()) expect(list).toEqual([...list].sort((left, right) => left - right))
    for (const bus of buses) await bus.close()
  }, 90_000)

  test('a commit never passes a message that is not settled, and what was settled behind it is not delivered again', async () => {
    const transport = await open({ partitions: 1 })
    const first = await consumeAs(transport, 'a')
    await transport.publish(range(10).map((n) => outgoing(n)))
    const read = await readSome(first, 10)
    await first.settle(acks(read.filter((delivery) => ![3, 6].includes(numberOf(delivery)))))
    expect((await committed('a')).get(0)?.offset).toBe(3)
    await first.close()
    const second = await consumeAs(transport, 'a')
    const again = await readSome(second, 3, 1_000)
    expect(again.map(numberOf)).toEqual([3, 6])
    expect(again.every(({ suspect, attempt }) => suspect && attempt === 1)).toBe(true)
    await second.settle(acks(again))
    expect((await committed('a')).get(0)).toEqual({ offset: 10, metadata: '' })
    await second.close()
  }, 30_000)

  test('attempts survive the consumer: given back, they are told again; begun and not ended, they count', async () => {
    const transport = await open({ partitions: 1 })
    const first = await consumeAs(transport, 'a')
    await transport.publish(range(4).map((n) => outgoing(n)))
    const [zero, one, two, three] = await readSome(first, 4)
    await first.settle([
      { delivery: zero!, as: 'release', attempt: 4 },
      { delivery: one!, as: 'started' },
      { delivery: two!, as: 'ack' },
      { delivery: three!, as: 'release', attempt: 1 },
    ])
    await first.close()
    const second = await consumeAs(transport, 'a')
    const again = await readSome(second, 3)
    expect(again.map(({ attempt }) => attempt)).toEqual([4, 2, 1])
    expect(again.map(({ suspect }) => suspect)).toEqual([false, true, false])
    await second.close()
  }, 30_000)

  test('who was silent for longer than its lease is refused, and its late settlement moves nothing of the next owner', async () => {
    const transport = await open({ partitions: 1 })
    const other = await open({ partitions: 1 })
    const slow = await consumeAs(transport, 'a', { leaseMs: 300 })
    await transport.publish(range(3).map((n) => outgoing(n)))
    const late = await readSome(slow, 3)
    const next = await consumeAs(other, 'a')
    const owned = await readSome(next, 3)
    await next.settle(acks(owned.slice(0, 2)))
    expect(await slow.settle(acks(late))).toHaveLength(3)
    expect((await committed('a')).get(0)?.offset).toBe(2)
    expect(await next.settle(acks(owned.slice(2)))).toEqual([])
    await slow.close()
    await next.close()
  }, 30_000)

  test('who closes while another member of its group still drains does not wait for it', async () => {
    const transport = await open({ drainMs: 20_000 })
    let isSlow = false
    let finish: () => void = () => {}
    const finished = new Promise<void>((resolve) => {
      finish = resolve
    })
    const slow = await consumeAs(transport, 'a', {}, { revoking: async () => (isSlow ? finished : undefined) })
    let drained = 0
    const leaving = await consumeAs(
      transport,
      'a',
      {},
      {
        revoking: async () => {
          drained += 1
        },
      },
    )
    await transport.publish(range(60).map((n) => outgoing(n, `k${n}`)))
    await leaving.settle(acks(await readSome(leaving, 1)))
    isSlow = true
    const third = await consumeAs(transport, 'a')
    await eventually(() => drained > 0, 'the group changes')
    const atMs = performance.now()
    await leaving.close()
    expect(performance.now() - atMs).toBeLessThan(8_000)
    finish()
    await slow.close()
    await third.close()
  }, 90_000)

  test('a commit of an earlier session is refused by the broker', async () => {
    const client = kafkajsClient({ brokers: place.brokers })
    await open({ partitions: 2 })
    const name = `${place.prefix}.${topic}`
    const assigned: number[][] = [[], []]
    const lost: number[] = []
    const join = (index: number) =>
      client.join(
        { group: `${place.prefix}.raw`, topic: name, sessionMs: 10_000, rebalanceMs: 10_000 },
        {
          revoking: async () => {},
          assigned: async ({ partitions }) => {
            assigned[index] = [...partitions]
            return new Map()
          },
          fetched() {},
          wants: () => false,
          outOfRange: async () => 0,
          lost: () => void lost.push(index),
          topicMissing: async () => {},
          failing() {},
        },
      )
    const first = join(0)
    await eventually(() => assigned[0]!.length === 2, 'the first owns everything')
    expect(await first.commit(new Map([[1, { offset: 5, metadata: '' }]]))).toBe('committed')
    const second = join(1)
    await eventually(() => assigned[0]!.length === 1 && assigned[1]!.length === 1, 'both own one')
    const [foreign] = assigned[1]!
    expect(await first.commit(new Map([[foreign!, { offset: 0, metadata: '' }]]))).toBe('fenced')
    await first.leave()
    expect(await first.commit(new Map([[0, { offset: 0, metadata: '' }]]))).toBe('fenced')
    expect((await second.committed()).get(1)?.offset).toBe(5)
    await second.leave()
  }, 30_000)

  test('a delayed retry waits in the retry topic of its group, keeps its attempt and place, and survives the consumer', async () => {
    const transport = await open()
    const first = await consumeAs(transport, 'a')
    const bystander = await consumeAs(transport, 'b')
    await transport.publish([outgoing(1, 'key', { note: 'ü' })])
    const [one] = await readSome(first, 1)
    const atMs = performance.now()
    await first.settle([{ delivery: one!, as: 'retry', attempt: 2, afterMs: 1_500 }])
    await first.close()
    const second = await consumeAs(transport, 'a')
    const [again] = await readSome(second, 1)
    expect(performance.now() - atMs).toBeGreaterThanOrEqual(1_499)
    expect(again).toMatchObject({ attempt: 2, key: 'key', position: one!.position, suspect: false })
    expect({ ...again!.headers }).toEqual({ ...one!.headers })
    await second.settle(acks([again!]))
    expect(await readSome(bystander, 2, 500)).toHaveLength(1)
    const [state] = (await transport.inspect(topic)).filter(({ consumer }) => consumer === 'test/a')
    expect(state).toMatchObject({ lag: 0, delayed: 0 })
    await second.close()
    await bystander.close()
  }, 30_000)

  test('of two members that found a group at once each partition begins at its time, and nothing after it is missed', async () => {
    const transport = await open({ partitions: 4 })
    const keys = range(12).map((n) => `k${n}`)
    await transport.publish(range(24).map((n) => outgoing(n, keys[n % 12])))
    // The broker looks up times by the millisecond.
    const beforeMs = Date.now()
    await eventually(() => Date.now() > beforeMs + 1, 'time passes')
    const since = new Date()
    await eventually(() => Date.now() > since.getTime() + 1, 'time passes')
    await transport.publish(range(24).map((n) => outgoing(100 + n, keys[n % 12])))
    const others = [await open({ partitions: 4 }), await open({ partitions: 4 })] as const
    const members = await Promise.all(others.map((other) => consumeAs(other, 'a', { from: since })))
    const signal = AbortSignal.timeout(20_000)
    const seen = new Set<number>()
    await Promise.all(
      members.map(async (member) => {
        while (seen.size < 24 && !signal.aborted) {
          const read = await member.read(
            { messages: 5, bytes: 1_000_000 },
            AbortSignal.any([signal, AbortSignal.timeout(200)]),
          )
          for (const delivery of read) seen.add(numberOf(delivery))
          await member.settle(acks(read))
        }
      }),
    )
    expect([...seen].sort((left, right) => left - right)).toEqual(range(24).map((n) => 100 + n))
    for (const member of members) await member.close()
  }, 60_000)

  test('another client takes the place of the one that is built in', async () => {
    const { connect, join } = kafkajsClient({ brokers: place.brokers })
    let connections = 0
    const joined: unknown[] = []
    const client: KafkaClient = {
      connect() {
        connections += 1
        return connect()
      },
      join(options, events) {
        joined.push(options.topic)
        return join(options, events)
      },
    }
    const transport = await open({ brokers: undefined, client })
    await transport.publish([outgoing(1)])
    const consumer = await consumeAs(transport, 'a')
    expect((await readSome(consumer, 1)).map(numberOf)).toEqual([1])
    expect([connections, joined]).toEqual([2, [`${place.prefix}.${topic}`]])
    await consumer.close()
  }, 30_000)

  test('dead letters are read page by page, each once, without those that were removed', async () => {
    const transport = await open({ partitions: 2 })
    const consumer = await consumeAs(transport, 'a')
    await transport.publish(range(25).map((n) => outgoing(n, `k${n}`)))
    const read = await readSome(consumer, 25)
    await consumer.settle(read.map((delivery) => ({ delivery, as: 'deadLetter' as const, reason: 'no', history: [] })))
    const all = await transport.readDeadLetters(topic, { after: undefined, limit: 100 })
    expect(new Set(all.map(({ payload }) => Number(Buffer.from(payload).toString()))).size).toBe(25)
    await transport.removeDeadLetters(
      topic,
      all.slice(0, 10).map(({ id }) => id),
    )
    const paged: string[] = []
    for (let after: string | undefined; ; after = paged.at(-1)) {
      const page = await transport.readDeadLetters(topic, { after, limit: 4 })
      paged.push(...page.map(({ id }) => id))
      if (page.length < 4) break
    }
    expect(paged).toEqual(all.slice(10).map(({ id }) => id))
    await consumer.close()
  }, 30_000)

  test('trimming stops at a group that has not read, names it, and passes on once it has', async () => {
    const transport = await open({ partitions: 1 })
    const fast = await consumeAs(transport, 'fast')
    const slow = await consumeAs(transport, 'slow')
    await transport.publish(range(5).map((n) => outgoing(n)))
    await fast.settle(acks(await readSome(fast, 5)))
    expect(await transport.trim(topic)).toEqual({ removed: 0, heldBackBy: 'test/slow' })
    await slow.settle(acks(await readSome(slow, 5)))
    expect(await transport.trim(topic)).toEqual({ removed: 5, heldBackBy: null })
    await fast.close()
    await slow.close()
  }, 30_000)
})
