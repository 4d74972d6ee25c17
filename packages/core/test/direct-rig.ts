import {
  type Bus,
  type BusOptions,
  createBus,
  defineEvent,
  type EventDefinition,
  type MemoryTransport,
  type MemoryTransportOptions,
  memoryTransport,
  silentLogger,
  type,
} from '../src/index.ts'

export interface Numbered {
  readonly n: number
}
export const Tick: EventDefinition<'tick', Numbered> = defineEvent('tick', { schema: type<Numbered>() })
export const Tock: EventDefinition<'tock', Numbered> = defineEvent('tock', { schema: type<Numbered>() })
export const quick = { attempts: 3, backoff: { minMs: 1, maxMs: 1 } }

/** A bus that runs handlers straight from the memory transport. */
export function direct(
  options: MemoryTransportOptions = {},
  more: Partial<BusOptions> = {},
): { bus: Bus; transport: MemoryTransport } {
  const transport = memoryTransport({ confirm: 'settled', byReference: true, ...options })
  const bus = createBus({ service: 's', transport, logger: silentLogger, ...(more as object) })
  return { bus, transport }
}
export function until(condition: () => boolean, deadlineMs = 5_000): Promise<void> {
  const endMs = Date.now() + deadlineMs
  return new Promise((resolve, fail) => {
    const look = () => {
      if (condition()) resolve()
      else if (Date.now() > endMs) fail(new Error('the condition did not come true'))
      else setImmediate(look)
    }
    look()
  })
}
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open: () => void = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}
export function error(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
}
