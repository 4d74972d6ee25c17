import { type Bus, createBus, memoryTransport, type SingleTransportOptions, silentLogger } from '@evt/core'

/** Makes a bus for one case; left out, it has a memory transport of its own. */
export type OpenBus = (options?: Partial<SingleTransportOptions<never>>) => Bus

/** Runs work and closes the buses that it opened, also when it fails. */
export async function withBuses(work: (open: OpenBus) => Promise<void>): Promise<void> {
  const buses: Bus[] = []
  try {
    await work((options = {}) => {
      const bus = createBus({ service: 'suite', transport: memoryTransport(), logger: silentLogger, ...options })
      buses.push(bus)
      return bus
    })
  } finally {
    for (const bus of buses) await bus.close()
  }
}
