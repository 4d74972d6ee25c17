import { redis } from '@evt/servers'
import {
  acknowledge,
  consumeAs,
  eventually,
  freshPlace,
  message,
  publish,
  range,
  readSome,
  textOf,
  topic,
} from './test-place.ts'

redis.describe('retention', () => {
  const place = freshPlace()

  test('trimming under load takes nothing from the slower group and names it', async () => {
    const transport = await place.transport()
    const fast = await consumeAs(transport, 'fast')
    const slow = await consumeAs(transport, 'slow')
    const total = 5_000
    const publishing = (async () => {
      for (const n of range(total / 100)) await publish(transport, 100, n * 100)
    })()
    const seen = { fast: new Set<string>(), slow: new Set<string>() }
    let trimming = true
    const holders = new Set<string | null>()
    const trims = (async () => {
      while (trimming) holders.add((await transport.trim(topic)).heldBackBy)
    })()
    while (seen.fast.size < total) {
      const read = await readSome(fast, 1)
      read.push(...(await fast.read({ messages: 200, bytes: 1e6 }, AbortSignal.timeout(1))))
      for (const delivery of read) seen.fast.add(textOf(delivery))
      await acknowledge(fast, read)
      const part = await slow.read({ messages: 10, bytes: 1e6 }, AbortSignal.timeout(5_000))
      for (const delivery of part) seen.slow.add(textOf(delivery))
      await acknowledge(slow, part)
    }
    await publishing
    expect(await place.client.xlen(place.key('stream'))).toBeGreaterThanOrEqual(total - seen.slow.size)
    while (seen.slow.size < total) {
      const part = await slow.read({ messages: 500, bytes: 1e6 }, AbortSignal.timeout(5_000))
      expect(part.length).toBeGreaterThan(0)
      for (const delivery of part) seen.slow.add(textOf(delivery))
      await acknowledge(slow, part)
    }
    trimming = false
    await trims
    await transport.trim(topic)
    expect(await place.client.xlen(place.key('stream'))).toBe(0)
    expect(holders).toContain('test/slow')
    expect([...fast.cuts, ...slow.cuts]).toEqual([])
    await Promise.all([fast.close(), slow.close()])
  }, 60_000)

  test('a step removes a bounded number and the next goes on', async () => {
    const transport = await place.transport()
    const consumer = await consumeAs(transport, 'a')
    for (const n of range(25)) await publish(transport, 1_000, n * 1_000)
    await acknowledge(consumer, await readSome(consumer, 25_000))
    const removed: number[] = []
    do removed.push((await transport.trim(topic)).removed)
    while (removed.at(-1)! > 0)
    expect(removed.length).toBeGreaterThan(2)
    expect(Math.max(...removed)).toBeLessThanOrEqual(11_000)
    expect(removed.reduce((sum, count) => sum + count)).toBe(25_000)
    await consumer.close()
  }, 60_000)

  test('what a group was handed and has not acknowledged stays', async () => {
    const transport = await place.transport()
    const gone = await consumeAs(transport, 'a')
    await publish(transport, 10)
    const read = await readSome(gone, 10)
    await acknowledge(gone, read.slice(0, 4))
    await acknowledge(gone, read.slice(5))
    expect(await transport.trim(topic)).toEqual({ removed: 4, heldBackBy: 'test/a' })
    await gone.close()
    const next = await consumeAs(transport, 'a')
    expect((await readSome(next, 1)).map(textOf)).toEqual(['4'])
    await next.close()
  })

  test('what waits for a retry holds nothing back', async () => {
    const transport = await place.transport()
    const consumer = await consumeAs(transport, 'a')
    await publish(transport, 2)
    const [one, two] = await readSome(consumer, 2)
    await consumer.settle([
      { delivery: one!, as: 'retry', attempt: 2, afterMs: 300 },
      { delivery: two!, as: 'ack' },
    ])
    expect(await transport.trim(topic)).toEqual({ removed: 2, heldBackBy: null })
    expect((await readSome(consumer, 1)).map(textOf)).toEqual(['0'])
    await consumer.close()
  })

  test('maxLength keeps so many and tells each group exactly how many unread ones it lost', async () => {
    const transport = await place.transport({ maxLength: 100 })
    const behind = await consumeAs(transport, 'behind')
    const ahead = await consumeAs(transport, 'ahead')
    await publish(transport, 100)
    await acknowledge(behind, await readSome(behind, 10))
    await acknowledge(ahead, await readSome(ahead, 100))
    await publish(transport, 80, 100)
    expect(await place.client.xlen(place.key('stream'))).toBe(100)
    const rest = await readSome(behind, 100)
    expect(rest.map(textOf)).toEqual(range(100).map((n) => String(80 + n)))
    await acknowledge(behind, rest)
    await acknowledge(ahead, await readSome(ahead, 80))
    await eventually(async () => {
      await readSome(behind, 1, 100)
      return behind.cuts.length > 0
    }, 'the cut is told')
    expect(behind.cuts).toEqual([70])
    expect(ahead.cuts).toEqual([])
    const states = await transport.inspect(topic)
    expect(states.map(({ lag }) => lag)).toEqual([0, 0])
    await Promise.all([behind.close(), ahead.close()])
  })

  test('maxAgeMs removes what is older', async () => {
    const transport = await place.transport({ maxAgeMs: 50 })
    const consumer = await consumeAs(transport, 'a')
    await publish(transport, 3)
    const untilMs = Date.now() + 60
    await eventually(() => Date.now() > untilMs, 'they grow old')
    await publish(transport, 1, 3)
    expect((await readSome(consumer, 1)).map(textOf)).toEqual(['3'])
    await eventually(async () => {
      await readSome(consumer, 1, 100)
      return consumer.cuts.length > 0
    }, 'the cut is told')
    expect(consumer.cuts).toEqual([3])
    await consumer.close()
  })

  test("an operator's trim of unread messages is noticed", async () => {
    const transport = await place.transport()
    await (await consumeAs(transport, 'a')).close()
    await publish(transport, 10)
    await place.client.xtrim(place.key('stream'), 'MAXLEN', 4)
    const consumer = await consumeAs(transport, 'a')
    expect(await readSome(consumer, 4)).toHaveLength(4)
    expect(consumer.cuts).toEqual([6])
    await consumer.close()
  })

  test('a retry or dead letter of a message that retention removed is told as a cut, not lost in silence', async () => {
    const transport = await place.transport()
    const consumer = await consumeAs(transport, 'a')
    await publish(transport, 2)
    const [one, two] = await readSome(consumer, 2)
    await place.client.xtrim(place.key('stream'), 'MAXLEN', 0)
    await consumer.settle([
      { delivery: one!, as: 'retry', attempt: 2, afterMs: 1 },
      { delivery: two!, as: 'deadLetter', reason: 'no', history: [] },
    ])
    expect(consumer.cuts).toEqual([2])
    await consumer.close()
  })

  test('hundreds of messages that a dead reader held and somebody removed are passed over in one read and told once', async () => {
    const transport = await place.transport()
    const dead = await consumeAs(transport, 'a')
    await publish(transport, 300)
    await readSome(dead, 300)
    await place.client.xtrim(place.key('stream'), 'MAXLEN', 1)
    await dead.close()
    const next = await consumeAs(transport, 'a')
    const read = await next.read({ messages: 10, bytes: 1_000_000 }, AbortSignal.timeout(10_000))
    expect(read.map(textOf)).toEqual(['299'])
    expect(next.cuts).toEqual([299])
    expect((await transport.inspect(topic))[0]).toMatchObject({ running: 1, lag: 0 })
    await next.close()
  })

  test('maxLength holds for each partition, and what each cut of the unread is told', async () => {
    const transport = await place.transport({ maxLength: 5 })
    const name = 'evt.test.short'
    await transport.declare({ name, partitions: 2 })
    const consumer = await consumeAs(transport, 'a', { topic: name })
    // These keys lie in two partitions.
    const keys = ['a', 'b', 'c', 'd']
    const failures = await transport.publish(
      range(40).map((n) => ({ ...message(String(n), keys[n % 4]), topic: name })),
    )
    expect(failures).toEqual([])
    const read = await readSome(consumer, 10)
    const partitions = read.map(({ partition }) => partition)
    expect([0, 1].map((place) => partitions.filter((partition) => partition === place).length)).toEqual([5, 5])
    await eventually(async () => {
      await readSome(consumer, 1, 50)
      return consumer.cuts.length > 0
    }, 'the cut is told')
    expect(consumer.cuts.reduce<number>((sum, count) => sum + count!, 0)).toBe(30)
    await consumer.close()
  })

  test('the group of an ephemeral reader goes when it closes, and after reapAfterMs when it did not', async () => {
    const transport = await place.transport({ reapAfterMs: 60_000 })
    const ephemeral = { as: { reader: 'ephemeral' }, from: 'latest' } as const
    const closed = await consumeAs(transport, 'closed', ephemeral)
    const left = await consumeAs(transport, 'left', ephemeral)
    const durable = await consumeAs(transport, 'durable')
    await closed.close()
    const groups = async () => (await transport.inspect(topic)).map(({ consumer }) => consumer).sort()
    expect(await groups()).toEqual(['test/durable', 'test/left'])
    await transport.trim(topic)
    expect(await groups()).toEqual(['test/durable', 'test/left'])
    // As if it had read for the last time a minute ago.
    await place.client.zincrby(place.key('ephemeral-groups'), -60_000, 'test/left')
    await transport.trim(topic)
    expect(await groups()).toEqual(['test/durable'])
    expect(await place.client.keys(`${place.key('group:test/left')}*`)).toEqual([])
    await Promise.all([left.close(), durable.close()])
  })

  test('all keys of a topic begin with the prefix and share its hash tag', async () => {
    const transport = await place.transport()
    const consumer = await consumeAs(transport, 'a')
    await publish(transport, 3)
    const [one, two] = await readSome(consumer, 3)
    await consumer.settle([
      { delivery: one!, as: 'retry', attempt: 2, afterMs: 60_000 },
      { delivery: two!, as: 'deadLetter', reason: 'no', history: [] },
    ])
    const keys = await place.client.keys(`${place.prefix}*`)
    expect(keys.map((key) => key.replace(`${place.prefix}:{${topic}}:`, '')).sort()).toEqual([
      'dead-letter-counts',
      'dead-letters',
      'group:test/a:due',
      'group:test/a:retry',
      'group:test/a:sessions',
      'stream',
      'topic',
    ])
    await consumer.close()
  })

  test('a lag that the server does not know is counted', async () => {
    const transport = await place.transport()
    await publish(transport, 30)
    const [first] = (await place.client.xrange(place.key('stream'), '-', '+', 'COUNT', 10)).slice(-1)
    const consumer = await consumeAs(transport, 'a', { from: { position: first![0] } })
    expect((await transport.inspect(topic))[0]).toMatchObject({ lag: 20, oldestMs: expect.any(Number) })
    await place.client.xgroup('SETID', place.key('stream'), 'test/a', first![0])
    expect((await transport.inspect(topic))[0]).toMatchObject({ lag: 20 })
    await consumer.close()
  })
})
