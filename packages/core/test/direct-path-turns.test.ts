import { direct, Tick, Tock } from './direct-rig.ts'

/** How many runs there were when a timer, set before the first, had its turn. */
function runsAtTimer(runs: () => number): Promise<number> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(runs()), 1)
  })
}
const many = 1_000_000

test.each([
  ['awaits', (publishing: Promise<unknown>) => publishing],
  ['does not await', () => undefined],
])(
  'two handlers that feed each other, each of which %s its publish, let timers and sockets have their turn',
  async (_how, wait) => {
    const { bus } = direct({ confirm: 'accepted' })
    let runs = 0
    let isOver = false
    const feed = (event: typeof Tick | typeof Tock) => async () => {
      runs += 1
      if (!isOver && runs < many) await wait(bus.publish(event, { n: runs }))
    }
    await bus.subscribe(Tick, feed(Tock), { group: 'a' })
    await bus.subscribe(Tock, feed(Tick), { group: 'a' })
    const atTimer = runsAtTimer(() => runs)
    await bus.publish(Tick, { n: 0 })
    expect(await atTimer).toBeLessThan(many)
    isOver = true
    await bus.close()
  },
)

test('a backlog whose handlers need nothing but this process is not handled in one go', async () => {
  const { bus } = direct({ confirm: 'accepted' })
  let runs = 0
  const subscription = await bus.subscribe(
    Tick,
    () => {
      // Half a second in all.
      for (const endMs = performance.now() + 0.05; performance.now() < endMs; );
      runs += 1
    },
    { group: 'a' },
  )
  subscription.pause()
  for (let n = 0; n < 10_000; n += 1) await bus.publish(Tick, { n })
  const atNextTurn = new Promise<number>((resolve) => setImmediate(() => resolve(runs)))
  subscription.resume()
  expect(await atNextTurn).toBeLessThan(5_000)
  while (runs < 10_000) await new Promise((resolve) => setImmediate(resolve))
  await bus.close()
})

test('a publisher that awaits each publish and nothing else lets timers and sockets have their turn', async () => {
  const { bus } = direct({ confirm: 'accepted' })
  let runs = 0
  await bus.subscribe(
    Tick,
    () => {
      runs += 1
    },
    { group: 'a' },
  )
  let isOver = false
  const atTimer = runsAtTimer(() => {
    isOver = true
    return runs
  })
  for (let n = 0; n < many && !isOver; n += 1) await bus.publish(Tick, { n })
  expect(await atTimer).toBeLessThan(many)
  await bus.close()
})
