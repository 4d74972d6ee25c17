import { redis } from '@evt/servers'
import { Redis } from 'ioredis'
import { halfOpenProxy } from './half-open-proxy.ts'
import {
  acknowledge,
  consumeAs,
  eventually,
  freshPlace,
  message,
  publish,
  quietMs,
  range,
  readSome,
  textOf,
} from './test-place.ts'

redis.describe('the session of a reader', () => {
  const place = freshPlace()
  const consumers = async () =>
    ((await place.client.xinfo('CONSUMERS', place.key('stream'), 'test/a')) as unknown[][]).map(([, name]) => name)

  test('everything that a stalled reader held goes to another, page by page, and its late settlements have no effect', async () => {
    const transport = await place.transport()
    const stalled = await consumeAs(transport, 'a', { leaseMs: 200 })
    await publish(transport, 350)
    const held = await readSome(stalled, 350)
    const next = await consumeAs(await place.transport(), 'a')
    // No more than 100 fit into one read, so that they are claimed in steps.
    const claimed = new Set<string>()
    while (claimed.size < 350) {
      const read = await next.read({ messages: 100, bytes: 1_000_000 }, AbortSignal.timeout(5_000))
      expect(read.length).toBeGreaterThan(0)
      for (const delivery of read) {
        expect([delivery.suspect, delivery.attempt, delivery.deliveries]).toEqual([true, 1, 2])
        claimed.add(textOf(delivery))
      }
      const late = held.filter((delivery) => read.some(({ position }) => position === delivery.position))
      expect(await acknowledge(stalled, late)).toBe(late.length)
      expect(await acknowledge(next, read)).toBe(0)
    }
    expect(await stalled.extend(held)).toEqual(held)
    const [state] = await transport.inspect('evt.test.raw')
    expect(state).toMatchObject({ lag: 0, running: 0 })
    await Promise.all([stalled.close(), next.close()])
  })

  test('a reader that was given up begins anew by itself and says what it lost', async () => {
    const transport = await place.transport()
    const stalled = await consumeAs(transport, 'a', { leaseMs: 150 })
    await publish(transport, 1)
    await readSome(stalled, 1)
    const next = await consumeAs(transport, 'a')
    await acknowledge(next, await readSome(next, 1))
    await publish(transport, 2, 1)
    const read = await readSome(stalled, 1)
    expect(stalled.lost).toMatchObject([{ code: 'EVT_LEASE_LOST' }])
    expect(await acknowledge(stalled, read)).toBe(0)
    await Promise.all([stalled.close(), next.close()])
  })

  test('what a given-up reader fetched in ignorance is found as a stray', async () => {
    const transport = await place.transport()
    await (await consumeAs(transport, 'a')).close()
    await publish(transport, 1)
    await place.client.xreadgroup('GROUP', 'test/a', 'ghost', 'STREAMS', place.key('stream'), '>')
    const next = await consumeAs(transport, 'a')
    const read = await readSome(next, 1)
    expect(read.map(({ suspect }) => suspect)).toEqual([true])
    await acknowledge(next, read)
    await next.close()
  })

  test('the name of a reader that is gone does not stay on the server', async () => {
    const transport = await place.transport()
    const gone = await consumeAs(transport, 'a', { leaseMs: 150 })
    await publish(transport, 1)
    await readSome(gone, 1)
    const next = await consumeAs(transport, 'a')
    await acknowledge(next, await readSome(next, 1))
    await eventually(async () => {
      await readSome(next, 1, 10)
      return (await consumers()).length === 1
    }, 'only the one that reads is left')
    await next.close()
    expect(await consumers()).toEqual([])
    await gone.close()
  })

  test('a run that was begun and ended with its process counts as an attempt, one that was not does not', async () => {
    const transport = await place.transport()
    await publish(transport, 1)
    const attempts: number[] = []
    for (const begun of [true, true, false, true]) {
      const consumer = await consumeAs(transport, 'a')
      const [delivery] = await readSome(consumer, 1)
      attempts.push(delivery!.attempt)
      if (begun) await consumer.settle([{ delivery: delivery!, as: 'started' }])
      await consumer.close()
    }
    expect(attempts).toEqual([1, 2, 3, 3])
  })

  test('attempts survive a release, a delay and a crash, and deliveries go on counting', async () => {
    const transport = await place.transport()
    const consumer = await consumeAs(transport, 'a')
    await publish(transport, 1)
    const [first] = await readSome(consumer, 1)
    await consumer.settle([{ delivery: first!, as: 'release', attempt: 3 }])
    const [second] = await readSome(consumer, 1)
    expect([second!.attempt, second!.deliveries, second!.suspect]).toEqual([3, 2, false])
    const sentMs = performance.now()
    await consumer.settle([{ delivery: second!, as: 'retry', attempt: 4, afterMs: 50 }])
    expect((await transport.inspect('evt.test.raw'))[0]).toMatchObject({ delayed: 1, running: 0 })
    const [third] = await readSome(consumer, 1)
    expect(performance.now() - sentMs).toBeGreaterThanOrEqual(50)
    expect([third!.attempt, third!.deliveries, third!.position]).toEqual([4, 3, first!.position])
    expect(third!.headers).toEqual(first!.headers)
    await consumer.close()
    const next = await consumeAs(transport, 'a')
    const [fourth] = await readSome(next, 1)
    expect([fourth!.attempt, fourth!.deliveries, fourth!.suspect]).toEqual([4, 4, true])
    await acknowledge(next, [fourth!])
    expect(await readSome(next, 1, quietMs)).toEqual([])
    expect(await place.client.exists(place.key('group:test/a:attempts'))).toBe(0)
    expect(await place.client.xlen(place.key('group:test/a:retry'))).toBe(0)
    await next.close()
  })

  test('settling again after an answer got lost changes nothing', async () => {
    const transport = await place.transport()
    const consumer = await consumeAs(transport, 'a')
    await publish(transport, 2)
    const [one, two] = await readSome(consumer, 2)
    const batch = [
      { delivery: one!, as: 'retry', attempt: 2, afterMs: 60_000 },
      { delivery: two!, as: 'deadLetter', reason: 'no', history: [] },
    ] as const
    await consumer.settle(batch)
    expect(await consumer.settle(batch)).toEqual([])
    expect((await transport.inspect('evt.test.raw'))[0]).toMatchObject({ delayed: 1, deadLettered: 1, running: 0 })
    await consumer.close()
  })

  test('giving back again after an answer got lost does not take away what has been handed over meanwhile', async () => {
    const transport = await place.transport()
    const consumer = await consumeAs(transport, 'a')
    await publish(transport, 1)
    const [first] = await readSome(consumer, 1)
    const release = [{ delivery: first!, as: 'release' as const, attempt: 1 }]
    await consumer.settle(release)
    const [second] = await readSome(consumer, 1)
    await consumer.settle(release)
    expect(await readSome(consumer, 1, quietMs)).toEqual([])
    await consumer.settle([{ delivery: second!, as: 'retry', attempt: 2, afterMs: 0 }])
    const third = await readSome(consumer, 1)
    expect(third).toMatchObject([{ attempt: 2, deliveries: 3 }])
    await consumer.settle([{ delivery: third[0]!, as: 'retry', attempt: 3, afterMs: 0 }])
    const fourth = await readSome(consumer, 1)
    expect(fourth).toMatchObject([{ attempt: 3, deliveries: 4 }])
    await acknowledge(consumer, fourth)
    await consumer.close()
  })

  test('20,000 acknowledgements in one call are no more than a script can take', async () => {
    const transport = await place.transport()
    const consumer = await consumeAs(transport, 'a')
    await transport.publish(range(20_000).map((n) => message(String(n))))
    const read = await readSome(consumer, 20_000)
    expect(await acknowledge(consumer, read)).toBe(0)
    expect((await transport.inspect('evt.test.raw'))[0]).toMatchObject({ running: 0, lag: 0 })
    await consumer.close()
  }, 30_000)

  test('a connection that went silent is replaced, and what it swallowed is delivered', async () => {
    const proxy = await halfOpenProxy(place.url)
    const transport = await place.transport({ client: place.connect(proxy.url) })
    const direct = await place.transport()
    const consumer = await consumeAs(transport, 'a')
    await publish(direct, 1)
    await acknowledge(consumer, await readSome(consumer, 1))
    const reading = consumer.read({ messages: 10, bytes: 1_000_000 }, AbortSignal.timeout(30_000))
    await eventually(async () => /cmd=xreadgroup/.test(String(await place.client.client('LIST'))), 'the reader waits')
    proxy.swallow()
    // The server hands these to a reader that will never hear of them.
    await publish(direct, 3, 1)
    await expect(reading).rejects.toMatchObject({ code: 'EVT_REDIS_UNAVAILABLE' })
    const read = await readSome(consumer, 3)
    expect(read.map(textOf).sort()).toEqual(['1', '2', '3'])
    expect(read.map(({ attempt, suspect }) => [attempt, suspect])).toEqual(range(3).map(() => [1, false]))
    await consumer.close()
    await proxy.close()
  }, 30_000)

  test('what is being handled when a connection goes silent is not handed over again, only what was swallowed is', async () => {
    const proxy = await halfOpenProxy(place.url)
    const transport = await place.transport({ client: place.connect(proxy.url) })
    const direct = await place.transport()
    const consumer = await consumeAs(transport, 'a')
    await publish(direct, 5)
    const held = await readSome(consumer, 5)
    const reading = consumer.read({ messages: 10, bytes: 1_000_000 }, AbortSignal.timeout(30_000))
    await eventually(async () => /cmd=xreadgroup/.test(String(await place.client.client('LIST'))), 'the reader waits')
    proxy.swallow()
    await publish(direct, 2, 5)
    await expect(reading).rejects.toMatchObject({ code: 'EVT_REDIS_UNAVAILABLE' })
    const swallowed = await readSome(consumer, 2)
    expect(swallowed.map(textOf).sort()).toEqual(['5', '6'])
    expect(await readSome(consumer, 1, quietMs)).toEqual([])
    const pending = (await place.client.xpending(place.key('stream'), 'test/a', '-', '+', 7)) as unknown[][]
    // As the server counts the hand-overs.
    expect(pending.map(([, , , deliveries]) => deliveries)).toEqual([1, 1, 1, 1, 1, 2, 2])
    expect(held).toHaveLength(5)
    await consumer.close()
    await proxy.close()
  }, 30_000)

  test('each reader has one connection of its own, and closing it gives that back', async () => {
    const client = new Redis(place.url, { connectionName: place.prefix })
    const transport = await place.transport({ client })
    const connections = async () => String(await place.client.client('LIST')).split(`name=${place.prefix} `).length - 1
    const readers = await Promise.all(['a', 'a', 'b'].map((group) => consumeAs(transport, group)))
    await Promise.all(readers.map((reader) => readSome(reader, 1, 50)))
    expect(await connections()).toBe(4)
    for (const reader of readers) await reader.close()
    await eventually(async () => (await connections()) === 1, 'only that of the transport is left')
    client.disconnect()
  })

  test('an aborted read returns at once', async () => {
    const consumer = await consumeAs(await place.transport(), 'a')
    await readSome(consumer, 1, 50)
    const stop = new AbortController()
    const reading = consumer.read({ messages: 1, bytes: 1_000 }, stop.signal)
    await eventually(async () => /cmd=xreadgroup/.test(String(await place.client.client('LIST'))), 'the reader waits')
    const sinceMs = performance.now()
    stop.abort()
    expect(await reading).toEqual([])
    expect(performance.now() - sinceMs).toBeLessThan(500)
    await consumer.close()
  })
})
