import { type Bus, createBus, defineEvent, type SubscribeOptions, silentLogger, type } from '@evt/core'
import { type FreshPrefix, redis } from '@evt/servers'
import { redisTransport } from '../src/index.ts'
import { eventually, range, type TestPlace, testPlace } from './test-place.ts'

const Numbered = defineEvent('raw.numbered', { schema: type<{ n: number }>() })

redis.describe('a bus over Redis', () => {
  let fresh: FreshPrefix
  let place: TestPlace
  const buses: Bus[] = []
  const open = () => {
    const transport = redisTransport({ client: place.connect(), prefix: fresh.prefix })
    const bus = createBus({ service: 'test', transport, logger: silentLogger })
    buses.push(bus)
    return bus
  }
  beforeEach(async () => {
    fresh = await redis.fresh()
    place = testPlace(fresh.url, fresh.prefix)
  })
  afterEach(async () => {
    for (const bus of buses.splice(0)) await bus.close()
    place.close()
    await fresh.drop()
  })

  const ways: readonly (readonly [where: string, options: Partial<SubscribeOptions>])[] = [
    ['held in the process', { holdMs: 1_000 }],
    ["over the group's retry stream", { holdMs: 0 }],
  ]
  for (const [where, options] of ways) {
    test(`a handler that fails twice runs three times, ${where}, no gap shorter than configured`, async () => {
      const bus = open()
      const runs: { readonly atMs: number; readonly attempt: number }[] = []
      await bus.subscribe(
        Numbered,
        (_payload, { attempt }) => {
          runs.push({ atMs: performance.now(), attempt })
          if (runs.length < 3) throw new Error('not yet')
        },
        { group: 'a', retry: { backoff: { minMs: 150, factor: 3, jitter: false } }, ...options } as SubscribeOptions,
      )
      await bus.publish(Numbered, { n: 1 })
      await eventually(() => runs.length === 3, 'it ran three times')
      expect(runs.map(({ attempt }) => attempt)).toEqual([1, 2, 3])
      const [first, second, third] = runs.map(({ atMs }) => atMs) as [number, number, number]
      expect(second - first).toBeGreaterThanOrEqual(149)
      expect(third - second).toBeGreaterThanOrEqual(449)
      await bus.close()
      expect(runs).toHaveLength(3)
    })
  }

  test('closing under load lets handlers finish, and none of what finished is delivered again', async () => {
    const finished = new Map<number, number>()
    const started = new Set<number>()
    let letGo = () => {}
    const gate = new Promise<void>((resolve) => {
      letGo = resolve
    })
    const subscribe = (bus: Bus) =>
      bus.subscribe(
        Numbered,
        async ({ n }) => {
          started.add(n)
          if (n >= 200) await gate
          finished.set(n, (finished.get(n) ?? 0) + 1)
        },
        { group: 'a', concurrency: 8 },
      )
    const publishing = open()
    const closing = open()
    await subscribe(closing)
    await publishing.publishMany(range(600).map((n) => Numbered.of({ n })))
    await eventually(() => started.size === 208, 'eight handlers are at work')
    const published = Promise.all(range(400).map((n) => publishing.publish(Numbered, { n: 600 + n })))
    const closed = closing.close()
    letGo()
    await Promise.all([closed, published])
    // Nothing was cut short, and nothing began after that.
    expect([...started].filter((n) => !finished.has(n))).toEqual([])
    expect(finished.size).toBe(208)
    const next = open()
    await subscribe(next)
    await eventually(() => finished.size === 1_000, 'the rest is handled')
    await next.close()
    expect([...finished].filter(([, runs]) => runs > 1)).toEqual([])
    const pending = (await place.client.xpending(`${fresh.prefix}:{evt.raw.numbered}:stream`, 'test/a')) as unknown[]
    expect(pending[0]).toBe(0)
  })

  test('who only publishes makes no group', async () => {
    const bus = open()
    await bus.publishMany(range(3).map((n) => Numbered.of({ n })))
    const key = `${fresh.prefix}:{evt.raw.numbered}:stream`
    expect(await place.client.xlen(key)).toBe(3)
    expect(await place.client.xinfo('GROUPS', key)).toEqual([])
    expect(await place.client.keys(`${fresh.prefix}:*:group:*`)).toEqual([])
  })
})
