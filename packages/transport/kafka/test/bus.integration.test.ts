import { type Bus, createBus, defineEvent, type SubscribeOptions, silentLogger, type } from '@evt/core'
import { type FreshKafka, kafka } from '@evt/servers'
import { kafkaTransport } from '../src/index.ts'
import { eventually, range } from './raw.ts'

/** The least that is allowed. */
const sessionMs = 6_000
const Numbered = defineEvent('raw.numbered', { schema: type<{ n: number }>() })

kafka.describe('a bus over Kafka', () => {
  let place: FreshKafka
  const buses: Bus[] = []
  const open = () => {
    const options = { prefix: `${place.prefix}.`, partitions: 2, sessionMs }
    const transport = kafkaTransport({ brokers: place.brokers, ...options })
    const bus = createBus({ service: 'test', transport, logger: silentLogger })
    buses.push(bus)
    return bus
  }
  beforeEach(async () => {
    place = await kafka.fresh()
  })
  afterEach(async () => {
    for (const bus of buses.splice(0)) await bus.close()
    await place.drop()
  })

  const ways: readonly (readonly [where: string, options: Partial<SubscribeOptions>])[] = [
    ['held in the process', { holdMs: 1_000 }],
    ['over the retry topic', { holdMs: 0 }],
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
    }, 60_000)
  }

  test('closing under load lets handlers finish, and none of what finished is delivered again', async () => {
    const finished = new Map<number, number>()
    const started = new Set<number>()
    const subscribe = (bus: Bus) =>
      bus.subscribe(
        Numbered,
        async ({ n }) => {
          started.add(n)
          await new Promise((resolve) => setTimeout(resolve, 10))
          finished.set(n, (finished.get(n) ?? 0) + 1)
        },
        { group: 'a', concurrency: 8 },
      )
    const closing = open()
    await subscribe(closing)
    await closing.publishMany(range(600).map((n) => Numbered.of({ n })))
    await eventually(() => finished.size > 100, 'messages are handled')
    await closing.close()
    // Nothing was cut short, and nothing of what waited was lost.
    expect([...started].filter((n) => !finished.has(n))).toEqual([])
    expect(finished.size).toBeLessThan(600)
    const next = open()
    await subscribe(next)
    await eventually(() => finished.size === 600, 'the rest is handled')
    await next.close()
    expect([...finished].filter(([, runs]) => runs > 1)).toEqual([])
  }, 60_000)

  test('a handler that takes longer than the session keeps it, and the other member is not given its message', async () => {
    const runs: string[] = []
    const ends: string[] = []
    for (const name of ['one', 'other']) {
      const handler = async () => {
        runs.push(name)
        await new Promise((resolve) => setTimeout(resolve, sessionMs + 2_000))
        ends.push(name)
      }
      await open().subscribe(Numbered, handler, { group: 'a' })
    }
    await buses[0]!.publish(Numbered, { n: 1 })
    await eventually(() => ends.length > 0, 'it is done')
    for (const bus of buses) await bus.close()
    expect(runs).toHaveLength(1)
    expect(ends).toEqual(runs)
  }, 60_000)
})
