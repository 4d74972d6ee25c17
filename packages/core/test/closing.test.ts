import { noRejectionIsLost } from './lost-rejections.ts'
import { door, Keyed, makeRig, range, steady, Tick } from './rig.ts'
import { settle } from './virtual-clock.ts'
import { watched } from './watched-transport.ts'

noRejectionIsLost()

test('close during load: no handler starts afterwards, running ones finish, the rest goes to the next without loss', async () => {
  // promise 13
  await using rig = makeRig()
  const done = new Map<number, number>()
  let closed = false
  let late = 0
  const handler = async ({ n }: { readonly n: number }) => {
    if (closed) late += 1
    await new Promise((resolve) => setImmediate(resolve))
    done.set(n, (done.get(n) ?? 0) + 1)
  }
  const first = await rig.bus.subscribe(Keyed, handler, { group: 'a', concurrency: 4 })
  const publishing = Promise.all(range(500).map((n) => rig.bus.publish(Keyed, { n, key: `k${n % 7}` })))
  await settle()
  await first.close()
  closed = true
  expect(first.state).toBe('closed')
  await publishing
  await settle()
  expect(late).toBe(0)
  expect(done.size).toBeLessThan(500)
  closed = false
  await rig.bus.subscribe(Keyed, handler, { group: 'a' })
  while (done.size < 500) await settle()
  await settle()
  expect([...done.values()].every((times) => times === 1)).toBe(true)
})

test('a handler that runs past the deadline is aborted, and its message is given back without raising the attempt', async () => {
  // promises 13 and 19
  const watch = watched()
  await using rig = makeRig({ wrap: watch.wrap })
  const outcomes: unknown[] = []
  const subscription = await rig.bus.subscribe(
    Tick,
    (_tick, { signal }) =>
      new Promise<void>((_resolve, fail) => signal.addEventListener('abort', () => fail(signal.reason))),
    {
      group: 'a',
      concurrency: 1,
      retry: { attempts: 1 },
      use: [
        {
          name: 'ledger',
          async consume(_delivery, next) {
            const outcome = await next()
            outcomes.push(outcome)
            return outcome
          },
        },
      ],
    },
  )
  await rig.bus.publishMany(range(3).map((n) => Tick.of({ n })))
  await settle()
  const closing = subscription.close({ deadlineMs: 1_000 })
  await settle()
  expect(watch.log).toEqual(['release', 'release'])
  await rig.clock.advance(999)
  expect(outcomes).toEqual([])
  await rig.clock.advance(1)
  await closing
  expect(watch.log).toEqual(['release', 'release', 'release'])
  // Middleware is told that nothing failed.
  expect(outcomes).toMatchObject([{ status: 'retry', counted: false, error: { code: 'EVT_SHUTDOWN' } }])
  expect(rig.transport.deadLetters()).toEqual([])
  const attempts: number[] = []
  await rig.bus.subscribe(Tick, (_tick, delivery) => void attempts.push(delivery.attempt), { group: 'a' })
  await settle()
  expect(attempts).toEqual([1, 1, 1])
})

test('a handler that ignores its abort does not keep close waiting, which is reported, and what it does later settles nothing', async () => {
  const watch = watched()
  await using rig = makeRig({ wrap: watch.wrap })
  const end = door()
  const subscription = await rig.bus.subscribe(Tick, () => end.opened, { group: 'a' })
  await rig.bus.publish(Tick, { n: 1 })
  await settle()
  const closing = subscription.close({ deadlineMs: 500 })
  await rig.clock.advance(5_000)
  await closing
  const reported = { message: expect.stringContaining('1 handlers go on although their signal was aborted') }
  expect(rig.reports).toMatchObject([{ during: 'rig/a: close', error: reported }])
  end.open()
  await settle()
  expect(watch.log).toEqual([])
})

test('retries that wait are not lost by close: unordered ones keep their delay, ordered ones go back in their place', async () => {
  const watch = watched()
  await using rig = makeRig({ wrap: watch.wrap })
  const attempts: [string, number][] = []
  const fail = (_numbered: unknown, delivery: { readonly type: string; readonly attempt: number }) => {
    attempts.push([delivery.type, delivery.attempt])
    if (delivery.attempt === 1) throw new Error('again')
  }
  const options = { group: 'a', retry: { attempts: 3, backoff: { minMs: 800, jitter: false } } } as const
  const held = [await rig.bus.subscribe(Tick, fail, options), await rig.bus.subscribe(Keyed, fail, options)]
  await rig.bus.publish(Tick, { n: 1 })
  await rig.bus.publish(Keyed, { n: 1 })
  await rig.clock.advance(300)
  await Promise.all(held.map((subscription) => subscription.close()))
  expect(watch.log.sort()).toEqual(['release', 'retry'])
  await rig.bus.subscribe(Tick, fail, options)
  await rig.bus.subscribe(Keyed, fail, options)
  await rig.clock.advance(499)
  expect(attempts.slice(2)).toEqual([['rig.keyed', 2]])
  await rig.clock.advance(1)
  expect(attempts.slice(3)).toEqual([['rig.tick', 2]])
})

test('one subscription can be paused, resumed, looked at and closed without touching the others', async () => {
  await using rig = makeRig()
  const seen = { a: 0, b: 0 }
  const [a, b] = [
    await rig.bus.subscribe(
      Tick,
      () => {
        seen.a += 1
      },
      { group: 'a' },
    ),
    await rig.bus.subscribe(
      Tick,
      () => {
        seen.b += 1
      },
      { group: 'b' },
    ),
  ]
  a.pause()
  await rig.bus.publish(Tick, { n: 1 })
  await settle()
  expect([seen, a.state, a.health().status]).toEqual([{ a: 0, b: 1 }, 'paused', 'degraded'])
  a.resume()
  await settle()
  expect([seen, a.state]).toEqual([{ a: 1, b: 1 }, 'running'])
  await a.close()
  await rig.bus.publish(Tick, { n: 2 })
  await settle()
  expect([seen, b.stats().acknowledged]).toEqual([{ a: 1, b: 2 }, 2])
})

test('a subscription that was closed mid-handler harms neither its process nor its bus', async () => {
  await using rig = makeRig()
  const end = door()
  const seen: number[] = []
  const handler = async ({ n }: { readonly n: number }) => {
    if (n === 1) await end.opened
    seen.push(n)
  }
  const first = await rig.bus.subscribe(Tick, handler, { group: 'a' })
  await rig.bus.publish(Tick, { n: 1 })
  await settle()
  const closing = first.close()
  await rig.bus.subscribe(Tick, handler, { group: 'a' })
  await rig.bus.publish(Tick, { n: 2 })
  await settle()
  expect(seen).toEqual([2])
  end.open()
  await closing
  expect(seen).toEqual([2, 1])
})

test('200 subscriptions opened and closed leave no timer, no listener and no group behind', async () => {
  // F37
  await using rig = makeRig()
  const round = async (mode: { readonly group: string } | { readonly mode: 'broadcast' }) => {
    const subscription = await rig.bus.subscribe(Tick, () => {}, { ...mode, retry: steady })
    await rig.bus.publish(Tick, { n: 1 })
    await settle()
    await subscription.close()
  }
  await round({ group: 'a' })
  await rig.clock.advance(60_000)
  const before = rig.clock.armed
  for (const n of range(200)) await round(n % 2 === 0 ? { group: 'a' } : { mode: 'broadcast' })
  await rig.clock.advance(60_000)
  expect(rig.clock.armed).toBe(before)
  expect(await rig.transport.inspect('evt.rig.tick')).toHaveLength(1)
  expect(rig.bus.describe().subscriptions).toEqual([])
})
