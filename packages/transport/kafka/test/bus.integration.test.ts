import { type Bus, createBus, defineEvent, type SubscribeOptions, silentLogger, type } from '@evt/core'
import { type FreshKafka, kafka } from '@evt/servers'
import { kafkaTransport } from '../src/index.ts'
import { eventually, range } from './raw.ts'

/** The least that is allowed. */
const sessionMs = 6_000
const Numbered = defineEvent('raw.numbered', { schema: type<{ n: number }>() })
const Keyed = defineEvent('raw.keyed', { schema: type<{ n: number }>(), key: ({ n }) => `k${n}` })

kafka.describe('a bus over Kafka', () => {
  let place: FreshKafka
  const buses: Bus[] = []
  const open = (others: { readonly drainMs?: number; readonly maxDelayed?: number } = {}) => {
    const options = { prefix: `${place.prefix}.`, partitions: 2, sessionMs, ...others }
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

  test('more delayed retries than `maxDelayed` has room for are all handled again', async () => {
    const bus = open({ maxDelayed: 2 })
    const succeeded = new Map<number, number>()
    await bus.subscribe(
      Numbered,
      ({ n }, { attempt }) => {
        if (attempt === 1) throw new Error('not yet')
        succeeded.set(n, (succeeded.get(n) ?? 0) + attempt)
      },
      { group: 'a', holdMs: 0, concurrency: 4, retry: { backoff: { minMs: 300, jitter: false } } },
    )
    for (const round of range(10)) await bus.publishMany(range(10).map((n) => Numbered.of({ n: 10 * round + n })))
    await eventually(() => succeeded.size === 100, 'every retry is handled')
    await bus.close()
    expect([...succeeded.values()].every((attempts) => attempts === 2)).toBe(true)
  }, 60_000)

  test('a handler that ignores its signal past `drainMs` loses its message to the other member, which handles it again', async () => {
    const slow = open({ drainMs: 300 })
    const other = open({ drainMs: 300 })
    const signals = new Map<number, AbortSignal>()
    const finished = new Set<number>()
    let letGo = () => {}
    const gate = new Promise<void>((resolve) => {
      letGo = resolve
    })
    const blocked = async ({ n }: { readonly n: number }, { signal }: { readonly signal: AbortSignal }) => {
      signals.set(n, signal)
      await gate
      finished.add(n)
    }
    await slow.subscribe(Keyed, blocked, { group: 'a', concurrency: 20 })
    await slow.publishMany(range(20).map((n) => Keyed.of({ n })))
    await eventually(() => signals.size === 20, 'every handler is at work')
    const again: number[] = []
    await other.subscribe(Keyed, ({ n }) => void again.push(n), { group: 'a' })
    const aborted = () => [...signals].filter(([, signal]) => signal.aborted).map(([n]) => n)
    await eventually(() => again.length > 0 && again.length === aborted().length, 'what moved is handled again')
    const ascending = (numbers: readonly number[]) => [...numbers].sort((left, right) => left - right)
    expect(ascending(again)).toEqual(ascending(aborted()))
    expect(again.length).toBeLessThan(20)
    expect(finished.size).toBe(0)
    letGo()
    await slow.close()
    await other.publish(Keyed, { n: 20 })
    // Its partitions are the other's now; what it kept and finished is not handled there, what is new is.
    await eventually(() => again.includes(20), 'the other member goes on')
    await other.close()
    expect(ascending([...finished])).toEqual(range(20))
    expect(new Set(again).size).toBe(again.length)
  }, 60_000)
})
