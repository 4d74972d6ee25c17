import { type ConformanceCase, eventually, expectThat } from './case.ts'
import { range, Tick, type TransportFactory, withBus } from './harness.ts'

/** What survives a restart of the server. */
export function restartCases(factory: TransportFactory): readonly ConformanceCase[] {
  const { restart } = factory
  if (restart === undefined) return []
  return [
    {
      name: '10,000 messages of 100 publishers that try again survive two restarts of the server',
      run: () =>
        withBus(factory, async (bus, transport) => {
          const seen = new Set<number>()
          const accepted = new Set<number>()
          await bus.subscribe(
            Tick,
            (tick) => {
              seen.add(tick.n)
            },
            { group: 'a', ...(transport.supports.deadLetters === 'none' ? { deadLetters: 'drop' } : {}) },
          )
          let restarts = Promise.resolve()
          const restartAt = (count: number) => {
            if (accepted.size === count) restarts = restarts.then(restart)
          }
          await Promise.all(
            range(100).map(async (publisher) => {
              for (const n of range(100)) {
                const id = publisher * 100 + n
                for (;;) {
                  const error = await bus.publish(Tick, { n: id }).then(
                    () => undefined,
                    (thrown: unknown) => thrown,
                  )
                  if (error === undefined) break
                  await new Promise((resolve) => setTimeout(resolve, 20))
                }
                accepted.add(id)
                restartAt(3_333)
                restartAt(5_000)
              }
            }),
          )
          await restarts
          if (transport.supports.durability === 'none') {
            seen.clear()
            await bus.publish(Tick, { n: -1 })
            return eventually(() => seen.has(-1), 'a subscription goes on after a restart', 30_000)
          }
          await eventually(() => seen.size === 10_000, 'what was accepted is delivered', 60_000)
          expectThat(accepted.size === 10_000, 'publishers get through after a restart')
        }),
    },
  ]
}
